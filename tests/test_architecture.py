"""Rules about the code that no single module can keep by itself."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGES = ("ledger", "fingerprint", "generator", "provenance", "licensing", "api")
SQL = {"select", "insert", "update", "delete", "text", "func", "or_", "and_", "Table", "Column"}
SQL_MODULES = {"tables.py", "store.py"}
ENGINES = {ROOT / "ledger" / name for name in ("sqlite.py", "postgresql.py")}
"""Open the databases: their settings and locks are the only statements outside the tables' own modules."""


def modules() -> list[Path]:
    return sorted(path for package in PACKAGES for path in (ROOT / package).rglob("*.py"))


@pytest.mark.parametrize("path", modules(), ids=lambda path: str(path.relative_to(ROOT)))
def test_sql_lives_in_tables_and_store(path: Path) -> None:
    if path.name in SQL_MODULES or path in ENGINES:
        return
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("sqlalchemy"):
            assert not {alias.name for alias in node.names} & SQL, f"{path}:{node.lineno}"
        if isinstance(node, ast.Attribute):
            assert node.attr not in {"exec_driver_sql", "executescript"}, f"{path}:{node.lineno}"


def test_only_one_module_knows_c2pa() -> None:
    importers = {
        str(path.relative_to(ROOT))
        for path in modules()
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if (isinstance(node, ast.Import) and any(alias.name.split(".")[0] == "c2pa" for alias in node.names))
        or (isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "c2pa")
    }
    assert importers == {"provenance/manifest.py"}


def test_verifying_needs_neither_torch_nor_a_database() -> None:
    import subprocess
    import sys

    code = "import sys, api.inspection; print({'torch', 'sqlalchemy', 'fastapi'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    assert done.stdout.strip() == "set()"
