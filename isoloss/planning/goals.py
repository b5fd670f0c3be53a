"""What may be asked of a plan: each goal and option once, with an example and the words of its help.

The type of a question's keyword-only argument is one of these, as a law's are quantities; the command line takes its
flags from here.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any


@dataclass(frozen=True)
class Goal:
    """A number (or word) that a question takes: an example of it, what it means, and whether it may be a list."""

    example: str
    meaning: str
    many: bool = False


Flops = Annotated[Any, Goal("1e24", "Training compute to spend.", many=True)]
TargetLoss = Annotated[Any, Goal("2.0", "The loss to reach.")]
GivenParams = Annotated[Any, Goal("7B", "Model size that is settled, counted as the law counts it.")]
GivenTokens = Annotated[Any, Goal("1T", "Training tokens that are settled.")]
GivenRatio = Annotated[Any, Goal("20", "Training tokens per parameter that are settled.")]
FamilyOfShapes = Annotated[
    Any, Goal("vocab=50257,aspect=64", "Tell the size in every count, for shapes of this family.")
]
UniqueTokens = Annotated[Any, Goal("25B", "Distinct tokens that there are; more are repeats.")]
Repetition = Annotated[Any, Goal("muennighoff2023", "A published law of repetition to count repeats by.", many=True)]
Within = Annotated[Any, Goal("1%", "How much more loss than the best is no matter.", many=True)]
Times = Annotated[Any, Goal("10", "Multiples of the compute, the size or the data.", many=True)]
Doubling = Annotated[Any, Goal("1%", "What a doubling of compute should still take off the loss.")]
Tenfold = Annotated[
    Any, Goal("flops", "Tell what a tenfold brings of: flops, params, tokens, or any input of the law.")
]
Overfit = Annotated[Any, Goal("2%", "By how much finite data may raise the loss.")]
Served = Annotated[Any, Goal("2T", "Tokens that the model will read and write in its life.", many=True)]
Quality = Annotated[Any, Goal("13B", "Loss to reach, told as the size of the best-spent model that has it.")]
SizeRatio = Annotated[Any, Goal("0.5", "Model size as a multiple of the best one.", many=True)]
Rival = Annotated[Any, Goal("13B", "The size of another model of the same loss.")]
Beside = Annotated[
    Any, Goal("besiroglu2024", "Another fit, or the key of one, to plan with beside the first.", many=True)
]
Above = Annotated[Any, Goal("10%", "How far above its converged loss a model stops.", many=True)]
Experts = Annotated[Any, Goal("8", "Experts of a routed model; one is the dense model.", many=True)]
MostParams = Annotated[Any, Goal("40B", "Parameters in all that fit into memory.")]
