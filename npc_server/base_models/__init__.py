"""Base models: which are known by name, where their files lie, and which quantization serves.

`catalogue` fetches and finds a file, `base_choice` chooses among quantizations (`quantization` is
the rule, `quantization_trial` the measurement, `requantize` the making). What may abort or fill
memory runs in a process of its own (`own_process`).
"""
