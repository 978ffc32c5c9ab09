"""Degradations of pictures: sources for restoration, and small copies for super-resolution.

`degrade`, `resampling` and `real_world` change one picture at a time, on the threads that read it. Validation, previews
and degraded copies of folders always use them. `batches` repeats them for whole batches on the device, for training
batches only: where `training.degrade_on` is `device`. With `auto`, its default, a training on a CPU uses the threads; a
training on a GPU first measures which way is faster, and writes that into the run's `config.yaml`, so that a resumed
run does the same. The docstring of `batches` says how close the two ways are, and what stays on the threads.
"""
