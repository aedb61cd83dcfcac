"""Chat templates like those that bases come with, in our own words; and what becomes of a talk."""

from personas.chat_ids import CHATML_MARKS
from personas.fake import FakeTokenizer

TURNS = (
    "{%- for message in messages %}{{'<|im_start|>' + message['role'] + '\n'"
    " + message['content'] + '<|im_end|>' + '\n'}}{%- endfor %}"
)
ASKING = "{%- if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{%- endif %}"
CHATML = TURNS + ASKING
#: As Qwen3 writes it: an empty thought when thinking is switched off.
NO_THINKING = (
    "{%- if add_generation_prompt %}{{- '<|im_start|>assistant\n' }}"
    "{%- if enable_thinking is defined and enable_thinking is false %}"
    "{{- '<think>\n\n</think>\n\n' }}{%- endif %}{%- endif %}"
)
ALWAYS_THINKING = "{{ '<|im_start|>assistant\n<think>\n' }}"
#: As Llama 3 writes it: BOS, contents without the blanks around them, and a clock.
LLAMA_3 = (
    "{{ bos_token }}{{ 'Today is ' + strftime_now('%d %b %Y') + '\n' }}"
    "{% for message in messages %}{{ '<|start_header_id|>' + message.role"
    " + '<|end_header_id|>\n\n' + message.content | trim + '<|eot_id|>' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|start_header_id|>assistant<|end_header_id|>\n\n' }}"
    "{% endif %}"
)
#: As Gemma 2 writes it: no system, player and character in turn, and blanks cut off.
GEMMA_2 = (
    "{{ bos_token }}{% if messages[0]['role'] == 'system' %}"
    "{{ raise_exception('System role not supported') }}{% endif %}"
    "{% for message in messages %}"
    "{% if (message['role'] == 'user') != (loop.index0 % 2 == 0) %}"
    "{{ raise_exception('Roles must alternate') }}{% endif %}"
    "{{ '<start_of_turn>' + ('model' if message['role'] == 'assistant' else 'user') + '\n'"
    " + message['content'] | trim + '<end_of_turn>\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<start_of_turn>model\n' }}{% endif %}"
)
#: As an early Phi-3 wrote it: what the system says is left out, and nobody is told.
DROPS_SYSTEM = (
    "{% for message in messages %}{% if message['role'] != 'system' %}"
    "{{ '<|' + message['role'] + '|>\n' + message['content'] + '<|end|>\n' }}"
    "{% endif %}{% endfor %}{% if add_generation_prompt %}{{ '<|assistant|>\n' }}{% endif %}"
)
#: As Mistral Nemo writes it: the system speaks in the player's last line; roles alternate.
MOVES_SYSTEM = (
    "{{ bos_token }}{% set said = messages %}{% if messages[0]['role'] == 'system' %}"
    "{% set system, said = messages[0]['content'], messages[1:] %}{% endif %}"
    "{% for message in said %}"
    "{% if (message['role'] == 'user') != (loop.index0 % 2 == 0) %}"
    "{{ raise_exception('roles must alternate') }}{% endif %}"
    "{% if message['role'] == 'user' %}"
    "{{ '[INST]' + (system + '\n\n' if system is defined and loop.last else '')"
    " + message['content'] + '[/INST]' }}"
    "{% else %}{{ ' ' + message['content'] + '</s>' }}{% endif %}{% endfor %}"
)
#: As Llama 2 writes it: the marks of a turn are no tokens, and spaces stand around a reply.
LLAMA_2 = (
    "{% if messages[0]['role'] == 'system' %}"
    "{% set system, said = messages[0]['content'], messages[1:] %}"
    "{% else %}{% set said = messages %}{% endif %}{% for message in said %}"
    "{% if (message['role'] == 'user') != (loop.index0 % 2 == 0) %}"
    "{{ raise_exception('roles must alternate') }}{% endif %}"
    "{% if message['role'] == 'user' %}{{ bos_token + '[INST] ' }}"
    "{% if loop.first and system is defined %}{{ '<<SYS>>\n' + system + '\n<</SYS>>\n\n' }}"
    "{% endif %}{{ message['content'] | trim + ' [/INST]' }}"
    "{% else %}{{ ' ' + message['content'] | trim + ' ' + eos_token }}{% endif %}{% endfor %}"
)
#: As models that see write it: a content is a list of parts.
IN_PARTS = (
    "{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\n' }}"
    "{% for part in message['content'] if part['type'] == 'text' %}{{ part['text'] }}{% endfor %}"
    "{{ '<|im_end|>\n' }}{% endfor %}" + ASKING
)

_THOUGHTS = ("<think>", "</think>")
#: By name: the template, and the special tokens beside BOS that its model has.
LOOK_ALIKES = {
    "none": ("", CHATML_MARKS),
    "chatml": (CHATML, CHATML_MARKS),
    "empty-thought": (TURNS + NO_THINKING, (*CHATML_MARKS, *_THOUGHTS)),
    "always-thinking": (TURNS + ALWAYS_THINKING, (*CHATML_MARKS, *_THOUGHTS)),
    "llama-3": (LLAMA_3, ("<|start_header_id|>", "<|end_header_id|>", "<|eot_id|>")),
    "gemma-2": (GEMMA_2, ("<start_of_turn>", "<end_of_turn>")),
    "drops-system": (DROPS_SYSTEM, ("<|user|>", "<|assistant|>", "<|end|>")),
    "moves-system": (MOVES_SYSTEM, ("[INST]", "[/INST]", "</s>")),
    "in-parts": (IN_PARTS, CHATML_MARKS),
}


def look_alike(name: str, *, thinks: bool = False) -> FakeTokenizer:
    """A tokenizer with this template."""
    template, marks = LOOK_ALIKES[name]
    return FakeTokenizer(template, marks, thinks=thinks)
