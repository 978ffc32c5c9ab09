"""What the pipeline does for `frames` all: translate every picture of a file that holds several."""

from collections.abc import Hashable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from datasets.codecs.animation import Timing
from datasets.codecs.frames import Frames, count_frames, read_frames, refuse_format, write_frames
from datasets.codecs.images import choose_format
from translate.folders.jobs import Job
from translate.folders.manifest import Outcome
from translate.folders.pipeline import Item, Schedule, Written, group_neighbours
from translate.folders.translation import ModelInput, ModelOutput, Translation, content_size


@dataclass(frozen=True)
class Several:
    """The pictures of one file, as the model takes them or as it translated them, and how they follow each other."""

    contents: tuple[Any, ...]  # ModelInput or ModelOutput
    timing: Timing | None


@dataclass(frozen=True)
class FrameTranslation:
    """Reads, translates and writes files of one picture, as `Translation` does, and of several."""

    pictures: Translation

    def schedule(self, jobs: int) -> Schedule:
        """Return how a run of so many jobs is grouped, and how much of it is in memory at once."""
        schedule = self.pictures.schedule(jobs)
        return replace(schedule, group=self.group, exclusive=self.exclusive, size=_size)

    def read(self, job: Job) -> ModelInput | Several:
        """Read the pictures of a file and convert them to what the model takes.

        Raises:
            OSError: The file cannot be read.
            UserError: It is damaged, the model cannot work on its size, or its format cannot hold the result.
        """
        options = self.pictures.options
        count = count_frames(job.source)
        if count == 1:
            return self.pictures.read(job)
        refuse_format(choose_format(job.output, options.save), count)
        frames = read_frames(job.source, limit=options.pixel_limit)
        return Several(tuple(self.pictures.prepare(job, picture) for picture in frames.pictures), frames.timing)

    def group(self, items: Iterable[Item[Job, Any]]) -> Iterator[list[Item[Job, Any]]]:
        """Yield batches as `Translation` does; a file of several pictures is one by itself."""

        def key(item: Item[Job, Any]) -> Hashable | None:
            return item.content.kind if isinstance(item.content, ModelInput) else None

        def limit(item: Item[Job, Any]) -> int:
            single = not isinstance(item.content, ModelInput) or item.content.tiled
            return 1 if single else self.pictures.batches.next(item.content.kind)

        return group_neighbours(items, key, limit)

    def exclusive(self, group: Sequence[Item[Job, Any]]) -> bool:
        """Return whether a batch must be computed while no other is; the frames of a file are."""
        return isinstance(group[0].content, Several) or self.pictures.exclusive(group)

    def compute(self, group: Sequence[Item[Job, Any]]) -> list[ModelOutput | Several | Outcome]:
        """Translate a batch, or the pictures of one file in batches of their own."""
        several = group[0].content
        if not isinstance(several, Several):
            return [*self.pictures.compute(group)]
        items = [replace(group[0], content=content) for content in several.contents]
        results = [result for batch in self.group(items) for result in self.pictures.compute(batch)]
        failed = next((result for result in results if isinstance(result, Outcome)), None)
        return [failed or Several(tuple(results), several.timing)]

    def write(self, item: Item[Job, Any]) -> Written:
        """Write a translation as the kind of file that its source is.

        Raises:
            OSError: The disk is full, or the folder cannot be written to.
            UserError: The format cannot hold it.
        """
        several = item.content
        if not isinstance(several, Several):
            return self.pictures.write(item)
        translated = tuple(map(self.pictures.restore, several.contents))
        notes = write_frames(Frames(translated, several.timing), item.job.output, self.pictures.options.save)
        written = self.pictures.describe(item.job, several.contents[0], translated[0], notes)
        more = (note for content in several.contents for note in content.notes)
        return Written(
            tuple(dict.fromkeys((*written.notes, *more))), {**(written.record or {}), "frames": len(translated)}
        )


def _size(content: ModelInput | ModelOutput | Several) -> int:
    if isinstance(content, Several):
        return sum(map(content_size, content.contents))
    return content_size(content)
