"""`make sam-build`: build functions and layer with SAM CLI, and verify that both are for the same processor.

Lambda's processor is arm64, whatever machine builds. `make sam-build PROCESSOR=native` builds for the processor of this
machine, so that `sam local invoke` needs no emulation. The native build has its own folder, which `sam deploy`
never reads.
"""

import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from local.template import ROOT

os.environ["SAM_CLI_TELEMETRY"] = "0"

from samcli.lib.providers.sam_function_provider import SamFunctionProvider
from samcli.lib.providers.sam_stack_provider import SamLocalStackProvider

SAM = Path(sys.executable).parent / "sam"
DEPLOYED_ARCHITECTURE = "arm64"
BUILD = ROOT / ".aws-sam" / "build"
"""Where `sam build` puts its result, and where `sam deploy` and `sam local invoke` look for it."""
NATIVE = ROOT / ".aws-sam" / "native"
ELF_MACHINES = {b"\xb7\x00": "arm64", b"\x3e\x00": "x86_64"}
"""The field e_machine, at offset 18 of a little-endian ELF file. Source: elf(5), EM_AARCH64 and EM_X86_64."""


class BuildError(SystemExit):
    """The build failed, or its parts do not fit together; the text says which part. Uncaught, it ends the program."""


def native_architecture() -> str:
    """Return Lambda's name of this machine's processor: `arm64` or `x86_64`."""
    return "arm64" if platform.machine().lower() in ("arm64", "aarch64") else "x86_64"


def build_deployed(architecture: str = DEPLOYED_ARCHITECTURE) -> Path:
    """Build what is deployed, for arm64 or for `x86_64`; return the folder."""
    return _build(BUILD, architecture, "--parameter-overrides", f"Architecture={architecture}")


def build_native() -> Path:
    """Build for this machine's processor; return the folder.

    In the built template the parameter `Architecture` has that processor as its default, so that `sam local invoke`
    needs no option for it.
    """
    folder, architecture = NATIVE / "build", native_architecture()
    folders = ("--build-dir", str(folder), "--cache-dir", str(NATIVE / "cache"))
    _build(folder, architecture, *folders, "--parameter-overrides", f"Architecture={architecture}")
    shutil.copy(ROOT / "samconfig.toml", folder)  # SAM CLI reads the one beside the template that it is given
    return folder


def _build(folder: Path, architecture: str, *options: str) -> Path:
    done = subprocess.run(
        [str(SAM), "build", *options],
        cwd=ROOT,
        env=os.environ | {"PATH": f"{SAM.parent}{os.pathsep}{os.environ['PATH']}"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        raise BuildError(f"{done.stdout.rstrip()}\n`sam build` failed: see above.")
    template = folder / "template.yaml"
    default = f"Default: {DEPLOYED_ARCHITECTURE}\n"
    template.write_text(template.read_text().replace(default, f"Default: {architecture}\n", 1))
    verify(folder, architecture)
    return folder


def _functions(folder: Path) -> list[Any]:
    """Return the functions of a build as SAM CLI reads them."""
    stacks, _ = SamLocalStackProvider.get_stacks(str(folder / "template.yaml"))
    return list(SamFunctionProvider(stacks).get_all())


def verify(folder: Path, architecture: str) -> None:
    """Compare a build's template and its layers' machine code with a processor, and look for its bytecode.

    Parameters
    ----------
    folder: the result of `sam build`.
    architecture: `arm64` or `x86_64`.

    Raises
    ------
    BuildError: a function, a layer or a file of a layer is for another processor, or a module of a layer or a function
        has no bytecode.

    """
    functions = _functions(folder)
    layers = {layer.name: layer for function in functions for layer in function.layers}
    if not layers:
        raise BuildError(f"{folder} has no layer.")
    wrong = [f"{f.name} is for {f.architecture}" for f in functions if f.architecture != architecture]
    wrong += [f"{f.name}: {fault}" for f in functions for fault in _without_bytecode(Path(f.codeuri))]
    if not any(file.suffix == ".so" for layer in layers.values() for file in Path(layer.codeuri).rglob("*")):
        wrong.append("no compiled library is in any layer")
    for name, layer in layers.items():
        if layer.build_architecture != architecture:
            wrong.append(f"{name} was built for {layer.build_architecture}")
        wrong += [f"{name}: {fault}" for fault in _faults(Path(layer.codeuri), architecture)]
    if wrong:
        raise BuildError(
            f"{folder} does not fit {architecture}: {'; '.join(wrong[:5])}. Remove .aws-sam, then build again."
        )


def _faults(layer: Path, architecture: str) -> Iterator[str]:
    """Yield what is wrong with the files of a layer."""
    for file in layer.rglob("*.so"):
        machine = ELF_MACHINES.get(file.read_bytes()[18:20], "another processor")
        if machine != architecture:
            yield f"{file.name} is for {machine}"
    yield from _without_bytecode(layer)


def _without_bytecode(folder: Path) -> Iterator[str]:
    """Yield which modules of a layer or a function a cold start would compile."""
    modules = list(folder.rglob("*.py"))
    if not modules:
        yield "no module is in it"
    for file in modules:
        if not any((file.parent / "__pycache__").glob(f"{file.stem}.cpython-*.pyc")):
            yield f"{file.name} has no bytecode"


def main(processor: str) -> None:
    """Build for PROCESSOR, and print where the result is."""
    match processor:
        case "" | "arm64":
            folder, architecture = build_deployed(), DEPLOYED_ARCHITECTURE
        case "native":
            folder, architecture = build_native(), native_architecture()
        case _:
            raise BuildError(f"PROCESSOR={processor} is unknown: it may be arm64, which is deployed, or native.")
    print(f"Built for {architecture} in {folder.relative_to(ROOT)}")


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else "")
