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
GivenGranularity = Annotated[
    Any, Goal("best", "How many times finer experts are cut: numbers, or `best` of the powers of two.", many=True)
]
GivenTeacherLoss = Annotated[Any, Goal("2.2", "The loss of a teacher that exists.", many=True)]
MostParams = Annotated[Any, Goal("40B", "Parameters in all that fit into memory.")]

Dollars = Annotated[Any, Goal("2M", "Dollars to spend on rented accelerators.")]
Hours = Annotated[Any, Goal("48", "Hours of wall time to spend.")]
OnAccelerator = Annotated[Any, Goal("H100", "The accelerator that trains; `isoloss hardware` lists them.")]
Count = Annotated[Any, Goal("512", "How many accelerators train together.", many=True)]
Hardware = Annotated[Any, Goal("mine.toml", "A table of accelerators of your own, in place of the shipped one.")]
Price = Annotated[Any, Goal("2:3:5", "Dollars per accelerator and hour: one number, or low:typical:high.")]
Utilisation = Annotated[
    Any, Goal("0.3:0.4:0.5", "Share of the dense peak that training sustains: one number, or low:typical:high.")
]
TokensPerSecond = Annotated[
    Any, Goal("11k", "Measured training tokens per second of one accelerator, in place of a utilisation.")
]
FlopsPerToken = Annotated[Any, Goal("42e9", "Training FLOP per token of the model so measured: 6 N.")]
Power = Annotated[Any, Goal("700", "Watts of one board at full load.")]
Drawn = Annotated[Any, Goal("0.6:0.8:1", "Share of the board power that training draws.")]
Pue = Annotated[Any, Goal("1.1:1.3:1.58", "What the building takes over what its machines take.")]
CriticalBatch = Annotated[
    Any, Goal("4M", "The critical batch in tokens, in place of what published laws say: one number, or low:mid:high.")
]
StyleOfShapes = Annotated[Any, Goal("llama", "Make the size a shape of this style: llama, gpt, moe or lab.")]
Vocabulary = Annotated[Any, Goal("128256", "Tokens in the vocabulary of the shape.")]
Context = Annotated[Any, Goal("8192", "Tokens in the context of the shape.")]
Rate = Annotated[Any, Goal("3e-4", "The learning rate, in place of what published laws say.")]
Batch = Annotated[Any, Goal("4M", "The batch in tokens, in place of what published laws say.")]
ConfigFile = Annotated[Any, Goal("config.json", "Write the shape as a Hugging Face config.json to this file.")]
LadderFile = Annotated[
    Any, Goal("ladder.toml", "Write the recipe as a ladder that `isoloss train` reads to this file.")
]
Written = Annotated[Any, Goal("0.75", "Share of the served tokens that the model writes; the rest it reads.")]
Prefill = Annotated[Any, Goal("0.3:0.5:0.6", "Share of the dense peak that reading tokens sustains.")]
Together = Annotated[Any, Goal("4:16:64", "Sequences that a served model writes at once.")]
BandwidthShare = Annotated[Any, Goal("0.4:0.6:0.8", "Share of the memory bandwidth that writing tokens sustains.")]
Bits = Annotated[Any, Goal("4", "Bits of a weight.", many=True)]
WeightBits = Annotated[Any, Goal("8", "Bits of a served weight; 16 where not given.")]
