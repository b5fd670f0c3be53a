"""The other models of the zoo, in the style of the decoder (lab/model.py): one file a kind.

All are pre-normed with RMSNorm, have no biases, square their ReLU and start with zero wherever a branch writes.
"""
