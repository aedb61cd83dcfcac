"""Base models: which are known by name, where their files lie, and which quantization serves.

`resolution` finds the file of a name or path: of the `catalogue`, of what was named here
(`model_records`), or of a base that was trained here. `fetching` gets it, from a hub through `hub`;
`model_files` says where it lies and what is made from it. `base_choice` chooses among quantizations
(`quantization` is the rule, `quantization_trial` the measurement, `requantize` the making), and
`memory` says what one takes while it is served. What may abort or fill memory runs in a process of
its own (`own_process`).
"""
