"""The rates of the training-free head: searched and fitted on a train split."""
