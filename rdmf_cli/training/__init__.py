"""Training: a task (model, samples, losses, scores) in, the best weights out; it can be resumed.

    options.py     how to train                      loop.py       train(task, options, out)
    task.py        what a task must offer            state.py      the file a training goes on from
    schedule.py    the learning rate of a step       parallel.py   several processes, one result
    optimizer.py   AdamW, and what decays            events.py     what a watcher is told
    averaging.py   the moving average of weights     log.py        log.jsonl, TensorBoard
    seeds.py       chance, by epoch and sample       live.py       the view on the terminal
    retrieval.py   the task of `rdmf train`          losses.py     what a head lowers
    targets.py     what annotations ask of a head    background.py sentences of nothing

Only `options` does without torch.
"""

from rdmf_cli.training.options import TrainingOptions

__all__ = ["TrainingOptions"]
