"""handful backup and handful restore."""

from pathlib import Path

from service.commands.operator_store import audited, with_store


def save(file: Path) -> None:
    """Save the store to a file. Raises ValueError."""
    if file.exists():
        raise ValueError(f"{file} exists already")
    clients = with_store(lambda store: store.save(file))
    audited("handful backup", target=str(file))
    print(f"Saved {clients} clients to {file}. It holds their examples and the hashes of the API keys: keep it safe.")


def restore(file: Path) -> None:
    """Restore a file to an empty store. Raises ValueError."""
    clients = with_store(lambda store: store.restore(file))
    audited("handful restore", target=str(file))
    print(f"Restored {clients} clients from {file}.")
