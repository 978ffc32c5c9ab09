"""Models out: translators as files of other runtimes, compared with ours on photographs before they are kept."""
