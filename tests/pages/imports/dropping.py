"""What people do with dropped files in tests of the import page, and what became of them."""

from sqlalchemy import select

from billing_core.imports.models import FileState, ImportFile


def drop(page, **files: str | bytes) -> None:
    (box,) = page.file_uploader
    for name, content in files.items():
        box.upload(f"{name}.csv", content.encode() if isinstance(content, str) else content, "text/csv")
    page.run()
    assert not page.exception


def press(page, key: str) -> None:
    page.button(key=key).click().run()
    assert not page.exception


def files(sessions) -> list[ImportFile]:
    with sessions() as session:
        return list(session.scalars(select(ImportFile).where(ImportFile.state != FileState.DISCARDED)))


def states(sessions) -> dict[str, str]:
    return {file.file_name: file.state.value for file in files(sessions)}


def metrics(page) -> list[tuple[str, str]]:
    return [(metric.label, metric.value) for metric in page.metric]
