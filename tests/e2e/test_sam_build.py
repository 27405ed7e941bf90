"""`make sam-build`: what a build is verified for. The real builds run in `make check`, and before `sam local`."""

from pathlib import Path

import pytest

from local.sam import build

TEMPLATE = """
Transform: AWS::Serverless-2016-10-31
Parameters: {Architecture: {Type: String, Default: FUNCTIONS}}
Resources:
  SharedLayer:
    Type: AWS::Serverless::LayerVersion
    Metadata: {BuildMethod: makefile, BuildArchitecture: LAYER}
    Properties: {ContentUri: SharedLayer}
  WorkFunction:
    Type: AWS::Serverless::Function
    Properties:
      CodeUri: WorkFunction
      Handler: work.handler
      Runtime: python3.13
      Architectures: [!Ref Architecture]
      Layers: [!Ref SharedLayer]
"""
MACHINES = {name: machine for machine, name in build.ELF_MACHINES.items()}


def built(folder: Path, *, functions: str = "x86_64", layer: str = "x86_64", code: bytes = MACHINES["x86_64"]) -> Path:
    """A build of one function and a layer with one library and one module."""
    (folder / "template.yaml").write_text(TEMPLATE.replace("FUNCTIONS", functions).replace("LAYER", layer))
    for package, module in ((folder / "SharedLayer" / "python", "module"), (folder / "WorkFunction", "work")):
        (package / "__pycache__").mkdir(parents=True)
        (package / f"{module}.py").touch()
        (package / "__pycache__" / f"{module}.cpython-313.pyc").touch()
    (folder / "SharedLayer/python/library.so").write_bytes(b"\x7fELF\x02\x01".ljust(18, b"\0") + code)
    return folder


def test_a_build_whose_parts_fit_together_passes(tmp_path: Path) -> None:
    build.verify(built(tmp_path), "x86_64")
    with pytest.raises(build.BuildError, match="WorkFunction is for x86_64"):
        build.verify(tmp_path, "arm64")


@pytest.mark.parametrize(
    ("different", "fault"),
    [
        ({"functions": "arm64"}, "WorkFunction is for arm64"),
        ({"layer": "arm64"}, "SharedLayer was built for arm64"),
        ({"code": MACHINES["arm64"]}, "library.so is for arm64"),
        ({"code": b"\x28\x00"}, "library.so is for another processor"),
    ],
)
def test_a_template_and_a_layer_that_differ_are_refused(
    tmp_path: Path, different: dict[str, object], fault: str
) -> None:
    with pytest.raises(build.BuildError, match=fault):
        build.verify(built(tmp_path, **different), "x86_64")  # type: ignore[arg-type]


@pytest.mark.parametrize(("part", "module"), [("SharedLayer/python", "module"), ("WorkFunction", "work")])
def test_a_layer_or_a_function_without_bytecode_is_refused(tmp_path: Path, part: str, module: str) -> None:
    built(tmp_path)
    (tmp_path / part / "__pycache__" / f"{module}.cpython-313.pyc").unlink()
    with pytest.raises(build.BuildError, match=rf"{part.partition('/')[0]}: {module}\.py has no bytecode"):
        build.verify(tmp_path, "x86_64")


def test_a_function_without_its_handler_is_refused(tmp_path: Path) -> None:
    (built(tmp_path) / "WorkFunction/work.py").unlink()
    with pytest.raises(build.BuildError, match="WorkFunction: no module is in it"):
        build.verify(tmp_path, "x86_64")


def test_a_layer_without_code_is_refused(tmp_path: Path) -> None:
    built(tmp_path)
    (tmp_path / "SharedLayer/python/library.so").unlink()
    with pytest.raises(build.BuildError, match="no compiled library"):
        build.verify(tmp_path, "x86_64")


def test_an_unknown_processor_is_refused_with_a_sentence() -> None:
    with pytest.raises(build.BuildError, match="PROCESSOR=mips is unknown"):
        build.main("mips")
