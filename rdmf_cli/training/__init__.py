"""Train a task (model, samples, losses, scores) and keep the best weights. A run can resume.

    options.py     how to train                      loop.py       train(task, options, out)
    task.py        what a task must offer            state.py      the checkpoint of a run
    schedule.py    the learning rate of each step    parallel.py   several processes, one result
    optimizer.py   AdamW, and its weight decay       processes.py  this process among several
    averaging.py   the moving average of weights     events.py     events and callbacks
    seeds.py       seeds by epoch and sample         log.py        log.jsonl, TensorBoard
    retrieval.py   the task of `rdmf train`          losses.py     the losses of a head
    targets.py     annotations as targets            background.py background sentences
    clips.py       cropping and dropping clips
    hyperparameters.py  weights of the losses, probabilities of augmentation

Only `options`, `processes` and `hyperparameters` work without torch.
"""

from rdmf_cli.training.options import TrainingOptions

__all__ = ["TrainingOptions"]
