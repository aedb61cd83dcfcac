"""Chat templates like those that bases come with, in our own words."""

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
LLAMA_3 = (
    "{{ bos_token }}{% for message in messages %}{{ '<|start_header_id|>' + message.role"
    " + '<|end_header_id|>\n\n' + message.content + '<|eot_id|>' }}{% endfor %}"
)
