"""The forms that a model with recurrent layers can take in a file, and which of them serve a quantization mode.

| form | what it is | state |
|---|---|---|
| graph | a model without recurrent layers, as it is | none |
| fused | each LSTM is one UNIDIRECTIONAL_SEQUENCE_LSTM | variable tensors, reset before each sequence |
| loop | each recurrent layer is a WHILE | none: it starts and ends with the call |
| step | one time step a call | inputs and outputs of the file, carried by the caller |
| unrolled | every time step is operators of its own | none |

Docs: docs/recurrent-models.md has sizes, latencies and errors of each.
"""

from export.forms.calls import RecurrentCall, find_calls, replaced_loops
from export.forms.choice import FORMS, Plan, plan_forms, refuse_stateful, time_loops
from export.forms.fused import why_not_fused
from export.forms.stepping import StepModel, why_not_stepped

__all__ = [
    "FORMS",
    "Plan",
    "RecurrentCall",
    "StepModel",
    "find_calls",
    "plan_forms",
    "refuse_stateful",
    "replaced_loops",
    "time_loops",
    "why_not_fused",
    "why_not_stepped",
]
