"""The glossary: every measured number has one name, symbol, unit and counting convention.

Two conventions are two quantities. A law's signature names them as types (`N: Params`), a table's columns bear their
names (`params`), and every axis, form field and printed assumption takes its words from here.
Values are in base units everywhere (parameters, tokens, FLOPs, nats); prefixes exist in reading and printing only.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Annotated, Any, get_args, get_origin

from isoloss.core.errors import UnknownNameError

Array = Any  # a NumPy array, a float or a SymPy symbol: laws are written for all three

FLOP_PER_PF_DAY = 8.64e19
FLOP_PER_PARAM_AND_TOKEN = 6.0  # forward and backward; Kaplan et al. 2020, section 2.1


@dataclass(frozen=True)
class Quantity:
    """One measured number.

    `name` is its column, `symbol` its letter in formulae, `unit` its base unit, `meaning` its counting convention.
    `least` is the smallest value it may take, `strict` says that the smallest value itself is excluded. `typical` is
    where values usually lie; shares, losses and bits differ from counts in this.
    """

    name: str
    symbol: str
    unit: str
    meaning: str
    least: float = 0.0
    strict: bool = True
    typical: tuple[float, float] = (1e5, 1e11)

    @property
    def bound(self) -> str:
        """The least value in words: 'above 0', 'at least 0'."""
        return f"{'above' if self.strict else 'at least'} {self.least:g}"

    def refuses(self, values: Any) -> Any:
        """Which of the values (an array) it cannot have: infinite, or below the least; NaN is missing, not refused."""
        return (values <= self.least if self.strict else values < self.least) | (abs(values) == math.inf)

    @property
    def label(self) -> str:
        """The words on an axis: 'tokens D (tokens)'."""
        return f"{self.meaning.split(',')[0]} {self.symbol} ({self.unit})"


@dataclass(frozen=True)
class Range:
    """What is known of a fitted parameter before any data: its bounds, and where fits of its kind lie.

    `log` says that the parameter is a scale, searched over its logarithm.
    """

    low: float
    high: float
    typical: tuple[float, float]
    log: bool = True


# fmt: off
Params = Annotated[Array, Quantity("params", "N", "parameters", "all trainable parameters, embeddings included")]
BodyParams = Annotated[Array, Quantity("body_params", "N_body", "parameters", "parameters outside embeddings and head, Kaplan's count")]
MatmulParams = Annotated[Array, Quantity("matmul_params", "N_mm", "parameters", "parameters in matrix products, body and head without lookups")]
ActiveParams = Annotated[Array, Quantity("active_params", "N_act", "parameters", "parameters that one token touches")]
Tokens = Annotated[Array, Quantity("tokens", "D", "tokens", "training tokens, repeats counted")]
UniqueTokens = Annotated[Array, Quantity("unique_tokens", "U", "tokens", "distinct tokens available")]
Characters = Annotated[Array, Quantity("characters", "D_ch", "characters", "training characters, repeats counted")]
Flops = Annotated[Array, Quantity("flops", "C", "FLOP", "training compute, forward and backward")]
MinFlops = Annotated[Array, Quantity("min_flops", "C_min", "FLOP", "least training compute, at batches far below critical, Kaplan's C_min")]
BodyFlops = Annotated[Array, Quantity("body_flops", "C_body", "FLOP", "non-embedding training compute, 6 N_body D")]
ContextFlops = Annotated[Array, Quantity("context_flops", "C_M", "FLOP", "training compute without embeddings, attention over the context included, DeepSeek's M D")]
SixNFlops = Annotated[Array, Quantity("six_n_flops", "C_6N", "FLOP", "training compute as 6 N D, all parameters counted")]
PalmFlops = Annotated[Array, Quantity("palm_flops", "C_PaLM", "FLOP", "training compute as 6 N D and the full square of attention, all parameters counted, PaLM's appendix B")]
ChinchillaFlops = Annotated[Array, Quantity("chinchilla_flops", "C_Ch", "FLOP", "training compute with embeddings, softmax and logits, Chinchilla's appendix F")]
Steps = Annotated[Array, Quantity("steps", "S", "steps", "optimizer steps", typical=(1e3, 1e6))]
Batch = Annotated[Array, Quantity("batch", "B", "tokens", "batch size, tokens per step", typical=(1e4, 1e7))]
LearningRate = Annotated[Array, Quantity("lr", "eta", "1", "peak learning rate", typical=(1e-05, 0.01))]
Width = Annotated[Array, Quantity("width", "d", "1", "model width", typical=(64, 16384))]
Depth = Annotated[Array, Quantity("depth", "l", "layers", "number of layers", typical=(2, 100))]
Heads = Annotated[Array, Quantity("heads", "h", "1", "attention heads", typical=(2, 64))]
Context = Annotated[Array, Quantity("context", "T", "tokens", "context length", typical=(512, 65536))]
Vocab = Annotated[Array, Quantity("vocab", "V", "1", "vocabulary size", typical=(4000.0, 300000.0))]
Experts = Annotated[Array, Quantity("experts", "E_x", "1", "experts of a routed layer", typical=(2, 256))]
ActiveExperts = Annotated[Array, Quantity("active_experts", "K", "1", "experts that a token is routed to", typical=(1, 8))]
Bits = Annotated[Array, Quantity("bits", "b", "bits", "bits per weight", typical=(2, 16))]
Loss = Annotated[Array, Quantity("loss", "L", "nats/token", "validation cross-entropy", strict=False, typical=(1.8, 4.0))]
LossError = Annotated[Array, Quantity("loss_se", "s_L", "nats/token", "standard error of the validation loss, from its finite set", strict=False)]
BitsPerByte = Annotated[Array, Quantity("bits_per_byte", "bpb", "bits/byte", "validation cross-entropy per byte", strict=False, typical=(0.6, 2.0))]
ErrorRate = Annotated[Array, Quantity("error", "eps", "1", "error rate", strict=False, typical=(0.05, 0.9))]
Accuracy = Annotated[Array, Quantity("accuracy", "acc", "1", "accuracy", strict=False, typical=(0.05, 0.95))]
Bleu = Annotated[Array, Quantity("bleu", "BLEU", "1", "BLEU score", strict=False, typical=(5, 45))]
Seconds = Annotated[Array, Quantity("seconds", "t", "s", "wall time of the training run", strict=False)]
CpuSeconds = Annotated[Array, Quantity("cpu_seconds", "t_cpu", "s", "processor time of the training run", strict=False)]
Throughput = Annotated[Array, Quantity("tokens_per_cpu_second", "v", "tokens/s", "training tokens per second of processor time, validation included", strict=False, typical=(1e3, 1e7))]
PeakMemory = Annotated[Array, Quantity("peak_memory", "M_peak", "bytes", "peak memory of the training run", typical=(1e8, 1e12))]
Energy = Annotated[Array, Quantity("energy", "E_J", "J", "energy drawn while the run was trained, by its machine's packages or board", strict=False, typical=(1e2, 1e12))]
NoiseScale = Annotated[Array, Quantity("noise_scale", "B_simple", "tokens", "gradient noise scale, variance of a token's gradient over the squared gradient", typical=(1e2, 1e7))]
DenseParams = Annotated[Array, Quantity("dense_params", "N_dense", "parameters", "parameters of the dense model that a routed one is built on", typical=(1e7, 1e11))]
NonzeroParams = Annotated[Array, Quantity("nonzero_params", "N_nz", "parameters", "parameters left after pruning, zeros not counted")]
EncoderParams = Annotated[Array, Quantity("encoder_params", "N_e", "parameters", "parameters of the encoder", typical=(1e7, 1e10))]
DecoderParams = Annotated[Array, Quantity("decoder_params", "N_d", "parameters", "parameters of the decoder", typical=(1e7, 1e10))]
VocabParams = Annotated[Array, Quantity("vocab_params", "N_v", "parameters", "vocabulary parameters, vocabulary size times width", typical=(1e6, 1e10))]
NonvocabParams = Annotated[Array, Quantity("nonvocab_params", "N_nv", "parameters", "parameters other than those of the vocabulary")]
StudentParams = Annotated[Array, Quantity("student_params", "N_S", "parameters", "parameters of the student, embeddings left out", typical=(1e7, 1e11))]
EffectiveTokens = Annotated[Array, Quantity("effective_tokens", "D_eff", "tokens", "fresh tokens that would be worth the same as the repeated ones")]
StudentTokens = Annotated[Array, Quantity("student_tokens", "D_S", "tokens", "tokens on which the student is distilled")]
Samples = Annotated[Array, Quantity("samples", "n", "samples", "samples seen in training, repeats counted", typical=(1e6, 1e11))]
UniqueSamples = Annotated[Array, Quantity("unique_samples", "U_n", "samples", "distinct samples available", typical=(1e6, 1e10))]
FinetuneExamples = Annotated[Array, Quantity("finetune_examples", "D_f", "examples", "fine-tuning examples", typical=(1e2, 1e7))]
FinetuneCharacters = Annotated[Array, Quantity("finetune_characters", "D_F", "characters", "fine-tuning data, in characters")]
TransferredCharacters = Annotated[Array, Quantity("transferred_characters", "D_T", "characters", "effective data transferred, the fine-tuning data that pre-training is worth")]
DataMultiplier = Annotated[Array, Quantity("data_multiplier", "M_D", "1", "factor by which pre-training multiplies the fine-tuning data")]
Granularity = Annotated[Array, Quantity("granularity", "G", "1", "granularity, width of the dense feed-forward layer over that of one expert", typical=(1, 32))]
IdleShare = Annotated[Array, Quantity("idle_share", "S", "1", "share of the experts that a token leaves idle", strict=False, typical=(0.02, 0.98))]
Sparsity = Annotated[Array, Quantity("sparsity", "S", "1", "share of the weights that is zero", strict=False, typical=(0.02, 0.95))]
Languages = Annotated[Array, Quantity("languages", "K", "1", "languages trained on together", typical=(1, 100))]
Streams = Annotated[Array, Quantity("streams", "P", "1", "parallel streams that share the weights", typical=(1, 16))]
Position = Annotated[Array, Quantity("position", "i", "1", "place of a token in its context, from 1", typical=(1, 4096))]
ActivationBits = Annotated[Array, Quantity("activation_bits", "P_a", "bits", "bits per activation", typical=(2, 16))]
CacheBits = Annotated[Array, Quantity("cache_bits", "P_kv", "bits", "bits per number of the key-value cache", typical=(2, 16))]
PostBits = Annotated[Array, Quantity("post_bits", "P_post", "bits", "bits per weight after training, quantised without retraining", typical=(2, 16))]
GroupSize = Annotated[Array, Quantity("group_size", "G", "elements", "numbers that share one quantisation scale", typical=(16, 1024))]
LossIncrease = Annotated[Array, Quantity("loss_increase", "delta", "nats/token", "loss added by a change to the trained model", strict=False, typical=(1e-3, 1.0))]
TeacherLoss = Annotated[Array, Quantity("teacher_loss", "L_T", "nats/token", "validation cross-entropy of the teacher", strict=False, typical=(1.8, 3.5))]
SupervisedLoss = Annotated[Array, Quantity("supervised_loss", "L_sup", "nats/token", "validation cross-entropy of the same student without a teacher", strict=False, typical=(1.8, 4.0))]
FirstLoss = Annotated[Array, Quantity("first_loss", "L_i", "nats/token", "loss of a model of the first modality alone", strict=False, typical=(1.8, 4.0))]
SecondLoss = Annotated[Array, Quantity("second_loss", "L_j", "nats/token", "loss of a model of the second modality alone", strict=False, typical=(1.8, 4.0))]
ElsewhereLoss = Annotated[Array, Quantity("elsewhere_loss", "L_other", "nats/token", "cross-entropy on text of another distribution", strict=False, typical=(1.8, 5.0))]
UnigramLoss = Annotated[Array, Quantity("unigram_loss", "L_u", "nats/token", "cross-entropy less that of the unigram model, negative", least=-30.0, strict=False, typical=(-6.0, -1.0))]
RateSum = Annotated[Array, Quantity("rate_sum", "S_1", "steps", "sum of the learning rates of all steps so far", typical=(0.05, 100.0))]
AnnealedArea = Annotated[Array, Quantity("annealed_area", "S_2", "steps", "decayed sum of the drops of the learning rate, at the decay the law was made for", strict=False, typical=(1e-3, 1.0))]
Shares = tuple(Annotated[Array, Quantity(f"share_{i}", f"r_{i}", "1", f"share of domain {i} in the training data", strict=False, typical=(0.02, 0.9))] for i in range(1, 9))
TaskLoss = Annotated[Array, Quantity("task_loss", "L_task", "bits/byte", "cross-entropy of a task's correct answers, per byte of the answer", strict=False, typical=(0.3, 2.0))]
AnswerLoss = Annotated[Array, Quantity("answer_loss", "NLL", "nats/char", "negative log-likelihood of the correct answer, per character", strict=False, typical=(0.3, 2.0))]
Capabilities = tuple(Annotated[Array, Quantity(f"capability_{i}", f"S_{i}", "1", f"principal component {i} of a model's benchmark scores", least=-1e6, strict=False, typical=(-3.0, 3.0))] for i in range(1, 4))
Attempts = Annotated[Array, Quantity("attempts", "k", "attempts", "independent attempts at each problem", typical=(1, 1e4))]
Coverage = Annotated[Array, Quantity("coverage", "c", "1", "share of problems that at least one attempt solves", strict=False, typical=(0.05, 0.95))]
Examples = Annotated[Array, Quantity("examples", "n", "examples", "training examples in the data set", typical=(1e3, 1e9))]
KeptExamples = Annotated[Array, Quantity("kept_examples", "n_kept", "examples", "training examples left after pruning the data set", typical=(1e5, 1e9))]
CoreDays = Annotated[Array, Quantity("tpu_core_days", "C_tpu", "core-days", "pre-training compute in TPUv3 core-days", typical=(0.1, 1e4))]
Macs = Annotated[Array, Quantity("macs", "C_mac", "MAC", "pre-training compute, multiply-accumulates of one sample times samples seen", typical=(1e18, 1e22))]
RecallError = Annotated[Array, Quantity("recall_error", "eps_R5", "1", "one minus recall at 5 in retrieval", strict=False, typical=(0.05, 0.9))]
TestFlops = Annotated[Array, Quantity("test_flops", "T_test", "FLOP", "compute spent at play or test time", typical=(1e3, 1e12))]
Elo = Annotated[Array, Quantity("elo", "Elo", "1", "playing strength, 400 points being odds of ten to one", least=-1e6, strict=False, typical=(-2000.0, -50.0))]
BoardSize = Annotated[Array, Quantity("board_size", "b", "cells", "cells along one side of the board", typical=(3, 19))]
Interactions = Annotated[Array, Quantity("interactions", "E", "steps", "interactions with the environment")]
Intrinsic = Annotated[Array, Quantity("intrinsic_flops", "I", "FLOP", "intrinsic performance, the least training compute that reaches the same return")]
GpuHours = Annotated[Array, Quantity("gpu_hours", "C_gpu", "GPU-hours", "reinforcement-learning compute in GPU-hours", typical=(10.0, 1e6))]
PassRate = Annotated[Array, Quantity("pass_rate", "R", "1", "share of attempts that pass", strict=False, typical=(0.05, 0.95))]
RootKL = Annotated[Array, Quantity("root_kl", "d", "nats^0.5", "square root of the KL divergence from the initial policy", typical=(0.1, 10.0))]
GoldReward = Annotated[Array, Quantity("gold_reward", "R_gold", "1", "reward by the gold model, zero for the initial policy", least=-1e6, strict=False, typical=(-1.0, 3.0))]
FlopsReference = Annotated[Array, Quantity("flops_ref", "C_ref", "FLOP", "training compute that ratios are taken to")]
ParamsReference = Annotated[Array, Quantity("params_ref", "N_ref", "parameters", "model size that ratios are taken to")]
Reference = Annotated[Array, Quantity("x_ref", "x_ref", "1", "the value of the same resource that ratios are taken to")]
Ratio = Annotated[Array, Quantity("ratio", "r", "1", "ratio to the value at the reference", typical=(0.1, 10.0))]
ParamsRatio = Annotated[Array, Quantity("params_ratio", "r_N", "1", "ratio of the best model size to that at the reference", typical=(0.1, 10.0))]
DataRatio = Annotated[Array, Quantity("data_ratio", "r_D", "1", "ratio of the best amount of data to that at the reference", typical=(0.1, 10.0))]
StrengthRatio = Annotated[Array, Quantity("strength_ratio", "r_gamma", "1", "ratio of Bradley-Terry playing strength to that at the reference", typical=(0.1, 10.0))]
ComputeRatio = Annotated[Array, Quantity("compute_ratio", "r_C", "1", "factor by which better algorithms multiply compute since the reference date", typical=(1.0, 100.0))]
DensityRatio = Annotated[Array, Quantity("density_ratio", "r_rho", "1", "ratio of the best capability per parameter to that at the reference date", typical=(1.0, 100.0))]
Elapsed = Annotated[Array, Quantity("elapsed", "t", "days", "calendar time since a reference date", strict=False, typical=(30.0, 4000.0))]
Dimension = Annotated[Array, Quantity("dimension", "d", "1", "intrinsic dimension of the data", typical=(2.0, 100.0))]
ExponentValue = Annotated[Array, Quantity("exponent", "alpha", "1", "exponent of the loss in the resource", typical=(0.02, 1.0))]
KnowledgeBits = Annotated[Array, Quantity("knowledge_bits", "K_bits", "bits", "knowledge that a model can recall, in bits")]
AnnotatedPairs = Annotated[Array, Quantity("annotated_pairs", "D_pairs", "pairs", "annotated pairs of query and passage", typical=(1e3, 1e7))]
SeriesValues = Annotated[Array, Quantity("series_values", "D_ts", "values", "values of time series trained on")]
SeriesLoss = Annotated[Array, Quantity("series_loss", "L_ts", "nats/value", "negative log-likelihood of a value of a time series, plus 2", strict=False, typical=(0.1, 3.0))]
SquaredError = Annotated[Array, Quantity("squared_error", "MSE", "1", "mean squared error of a forecast", strict=False, typical=(0.05, 3.0))]
RankedError = Annotated[Array, Quantity("crps", "CRPS", "1", "continuous ranked probability score", strict=False, typical=(0.05, 3.0))]
Environments = Annotated[Array, Quantity("environments", "M", "1", "training environments or objects", typical=(1, 1000))]
WordError = Annotated[Array, Quantity("word_error", "WER", "1", "word error rate", strict=False, typical=(0.02, 0.5))]
ImageTokens = Annotated[Array, Quantity("image_tokens", "D_img", "tokens", "image tokens trained on")]
FlowLoss = Annotated[Array, Quantity("flow_loss", "L_flow", "1", "rectified-flow training loss", strict=False, typical=(0.1, 2.0))]
LanguageTokens = Annotated[Array, Quantity("language_tokens", "D_t", "tokens", "training tokens of the language that is evaluated")]
LearningRateBefore = Annotated[Array, Quantity("lr_before", "eta_0", "1", "learning rate before a drop", typical=(2e-4, 1e-2))]
LearningRateAfter = Annotated[Array, Quantity("lr_after", "eta_1", "1", "learning rate after a drop", typical=(1e-5, 2e-4))]
RateSumAfter = Annotated[Array, Quantity("rate_sum_after", "S_a", "steps", "sum of the learning rates since a drop", strict=False, typical=(1e-3, 10.0))]
ScheduleNumber = Annotated[Array, Quantity("schedule_number", "q", "1", "number of a run's learning-rate schedule among those that the law is bound to", typical=(1, 9))]
Anything = Annotated[Array, Quantity("x", "x", "1", "any one resource, named when the law is bound")]
TokensPerParam = Annotated[Array, Quantity("tokens_per_param", "M", "tokens/parameter", "training tokens per parameter, all parameters counted", typical=(2.0, 2000.0))]
ParamsPerToken = Annotated[Array, Quantity("params_per_token", "N/D", "parameters/token", "best number of parameters per training token", typical=(1e-3, 0.5))]
FlopsPerToken = Annotated[Array, Quantity("flops_per_token", "M_F", "FLOP/token", "training compute per token without embeddings, attention over the context included", typical=(1e7, 1e13))]
InferenceTokens = Annotated[Array, Quantity("inference_tokens", "D_inf", "tokens", "tokens read and written over the model's lifetime", strict=False, typical=(1e9, 1e14))]
LifetimeFlops = Annotated[Array, Quantity("lifetime_flops", "C_life", "FLOP", "compute of training and of all inference")]
SizeRatio = Annotated[Array, Quantity("size_ratio", "r", "1", "model size as a multiple of the best one", typical=(0.7, 4.0))]
CostRatio = Annotated[Array, Quantity("cost_ratio", "r_C", "1", "training compute as a multiple of the least for the same loss", typical=(1.0, 3.0))]
MinSteps = Annotated[Array, Quantity("min_steps", "S_min", "steps", "least optimizer steps, at batches far above critical", typical=(1e3, 1e6))]
CriticalBatch = Annotated[Array, Quantity("critical_batch", "B_crit", "tokens", "critical batch, at which steps and tokens are both twice their least", typical=(1e4, 1e7))]
BatchRatio = Annotated[Array, Quantity("batch_ratio", "r_B", "1", "ratio of the batch to that at the reference", typical=(0.1, 10.0))]
BatchExamples = Annotated[Array, Quantity("batch_examples", "B_n", "examples", "batch size, examples per step", typical=(1e1, 1e6))]
LossDrop = Annotated[Array, Quantity("loss_drop", "Delta L", "nats/token", "fall of the loss in one optimizer step", strict=False, typical=(1e-4, 1.0))]
OverfitGap = Annotated[Array, Quantity("overfit_gap", "L(N,D)-L(N)", "nats/token", "loss above that on endless data", strict=False, typical=(1e-3, 0.5))]
OverfitShare = Annotated[Array, Quantity("overfit_share", "delta L", "1", "loss above that on endless data, as a share of it", strict=False, typical=(1e-3, 0.5))]

Floor = Annotated[float, Range(0.0, 1e3, (1e-2, 4.0))]
Amplitude = Annotated[float, Range(0.0, 1e300, (1e-2, 1e6))]
Scale = Annotated[float, Range(0.0, 1e300, (1e0, 1e16))]
Coefficient = Annotated[float, Range(-1e6, 1e6, (-3.0, 3.0), log=False)]
LogSlope = Annotated[float, Range(-1e6, 1e6, (-0.5, -0.02), log=False)]  # what a loss gains with the log of something
Exponent = Annotated[float, Range(1e-4, 8.0, (0.02, 1.2))]
SignedExponent = Annotated[float, Range(-8.0, 8.0, (-0.9, -0.02), log=False)]  # written with its sign, as in N**alpha
Drift = Annotated[float, Range(-2.0, 2.0, (-0.05, 0.05), log=False)]  # change of an exponent with the log of another input
Bend = Annotated[float, Range(-1e6, 1e6, (-1.0, 1.5), log=False)]  # an exponent before a break, or its change there
Repeats = Annotated[float, Range(1e-2, 1e6, (0.5, 50.0))]
HalfLife = Annotated[float, Range(1e-2, 1e6, (0.5, 30.0))]
Share = Annotated[float, Range(0.0, 1.0, (0.05, 0.95), log=False)]
SignedShare = Annotated[float, Range(-1.0, 1.0, (-0.9, -0.1), log=False)]  # a height of a curve of shares
Ceiling = Annotated[float, Range(0.0, 1e3, (5.0, 20.0))]  # where a loss begins: above every typical floor
Sharpness = Annotated[float, Range(0.02, 20.0, (0.05, 2.0))]  # how many decades a break takes, in BNSL's sense
HelpedShare = Annotated[float, Range(1e-6, 10.0, (1e-3, 0.1))]  # of a domain, that the other domains stand for
BestVocab = Annotated[float, Range(1.0, 1e12, (1e4, 1e5))]  # the vocabulary at which a curve turns
Days = Annotated[float, Range(0.0, 1e6, (30.0, 1000.0))]
ManifoldDimension = Annotated[float, Range(1.0, 1e4, (4.0, 100.0))]
PerElo = Annotated[float, Range(1e-6, 1.0, (1e-3, 1e-2))]
DailyRate = Annotated[float, Range(-10.0, 10.0, (1e-4, 1e-2), log=False)]
FewExperts = Annotated[float, Range(1.0, 10.0, (1.2, 5.0))]
ManyExperts = Annotated[float, Range(20.0, 1e6, (50.0, 1000.0))]
Precision = Annotated[float, Range(1e-2, 1e2, (0.3, 4.0))]
Gain = Annotated[float, Range(0.0, 1e3, (0.05, 2.0))]
OuterExponent = Annotated[float, Range(0.01, 4.0, (0.2, 1.5))]  # laid over a sum of power laws
Offset = Annotated[float, Range(0.0, 1e300, (1e4, 1e8))]  # added to a resource
GentlePower = Annotated[float, Range(-2.0, 2.0, (0.05, 0.2), log=False)]  # of a resource inside an exponential
GentleDecay = Annotated[float, Range(-2.0, 2.0, (-0.2, -0.05), log=False)]  # the same, where the power falls
Turn = Annotated[float, Range(0.0, 1e6, (1e-4, 30.0))]  # the size of a sum of terms at which a curve bends
SlopeFalling = Annotated[float, Range(-1e3, 1e3, (-0.2, -0.01), log=False)]
SlopeRising = Annotated[float, Range(-1e3, 1e3, (5.0, 150.0), log=False)]
Intercept = Annotated[float, Range(-1e3, 1e3, (-1.0, 1.0), log=False)]
LowIntercept = Annotated[float, Range(-1e3, 1e3, (-10.0, 2.0), log=False)]
RateIntercept = Annotated[float, Range(0.0, 1.0, (1e-3, 1e-2))]
RateSlope = Annotated[float, Range(-1.0, 1.0, (-2e-4, -1e-5), log=False)]  # of a learning rate in a logarithm
Steepness = Annotated[float, Range(1e-3, 1e3, (0.3, 3.0))]  # of a sigmoid or an exponential in its input
GapExponent = Annotated[float, Range(1e-2, 1e5, (1.0, 1000.0))]  # of a factor that closes as two losses part
RateScale = Annotated[float, Range(0.0, 1e9, (1e-2, 1e2))]  # times a sum of learning rates, and a small power of one
# fmt: on


def marker(annotation: Any) -> Quantity | Range | None:
    """Return the Quantity or Range that an `Annotated` type carries, or None."""
    if get_origin(annotation) is Annotated:
        for extra in get_args(annotation)[1:]:
            if isinstance(extra, Quantity | Range):
                return extra
    return None


def range_of(annotation: Any) -> Range:
    """Return the Range that a fitted parameter's type carries, for laws that are built from their parts."""
    found = marker(annotation)
    if not isinstance(found, Range):
        raise TypeError(f"{annotation} is not the type of a fitted parameter")
    return found


def _glossary() -> dict[str, Quantity]:
    marked = (marker(value) for value in [*globals().values(), *Shares, *Capabilities])
    return {q.name: q for q in marked if isinstance(q, Quantity)}


QUANTITIES: dict[str, Quantity] = _glossary()


def quantity(name: str) -> Quantity:
    """Return the quantity called `name`, or raise UnknownNameError with near names."""
    if name not in QUANTITIES:
        raise UnknownNameError("quantity", name, QUANTITIES)
    return QUANTITIES[name]
