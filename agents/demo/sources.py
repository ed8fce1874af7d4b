"""What the demo stores when no file is named: an archive of this program's own sources."""

import tarfile
from pathlib import Path

NAMES = ("agents", "circuits", "contracts", "scripts", "tests", "README.md", "SECURITY.md", "pyproject.toml")
SKIPPED = ("__pycache__", "node_modules", ".")


def archive_sources(target: Path) -> Path:
    """Write an archive of the checkout this runs from, or of the installed package, to ``target``."""
    root = Path(__file__).resolve().parents[2]
    checkout = (root / "pyproject.toml").exists()

    def kept(member: tarfile.TarInfo) -> tarfile.TarInfo | None:
        return None if Path(member.name).name.startswith(SKIPPED) else member

    with tarfile.open(target, "w:gz") as archive:
        for name in NAMES if checkout else ("agents",):
            if (root / name).exists():
                archive.add(root / name, arcname=f"holdfast/{name}", filter=kept)
    return target
