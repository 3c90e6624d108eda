"""The setup behind make: which Python, what uv is told, when a setup has nothing to do."""

import ast
import importlib.util
import sys
import zipfile
from pathlib import Path
from types import ModuleType

import pytest

DEPLOY = Path(__file__).resolve().parents[2] / "deploy"


def load(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, DEPLOY / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # they import one another as scripts do: by their bare names
    spec.loader.exec_module(module)
    return module


machine = load("machine")
pytorch = load("pytorch")
environment = load("environment")
bootstrap = load("bootstrap")


def python(version: str, *, path: str = "", complete: bool = True, pip: bool = True):
    return machine.Interpreter(
        path or f"/bin/python{version}", tuple(map(int, version.split("."))), True, complete, pip
    )


def test_the_first_new_enough_python_is_chosen():
    assert machine.choose([python("3.10.13"), python("3.12.1"), python("3.11.7")]).version == (3, 12, 1)


def test_a_complete_python_goes_before_a_newer_one_that_lacks_ensurepip():
    chosen = machine.choose([python("3.13.0", complete=False), python("3.11.2")])
    assert chosen.version == (3, 11, 2)


def test_an_incomplete_python_is_taken_when_there_is_no_other():
    assert machine.choose([python("3.13.0", complete=False), python("3.9.2")]).version == (3, 13, 0)


def test_too_old_pythons_are_named_once_each_in_the_message():
    with pytest.raises(
        machine.SetupError, match=r"needs Python 3\.11 or newer\. Found: Python 3\.9\.18 \(/usr/bin/p\)\.\n"
    ):
        machine.choose([python("3.9.18", path="/usr/bin/p"), python("3.9.18", path="/usr/bin/p")])


def test_no_python_at_all_says_so():
    with pytest.raises(machine.SetupError, match="Found: none"):
        machine.choose([])


def test_a_virtual_environment_is_seen_through_to_its_base():
    found = machine.probe(sys.executable)
    assert found is not None
    assert found.version == sys.version_info[:3]
    assert Path(found.path).resolve() == Path(getattr(sys, "_base_executable", sys.executable)).resolve()


def test_what_does_not_run_is_no_python(tmp_path):
    shim = tmp_path / "python3.13"
    shim.write_text("#!/bin/sh\nexit 127\n")
    shim.chmod(0o755)
    assert machine.probe(str(shim)) is None
    assert machine.probe(str(tmp_path / "missing")) is None


@pytest.mark.parametrize("name", ["bootstrap", "environment", "machine", "pytorch"])
def test_a_python_too_old_for_tithe_can_read_the_scripts(name):
    ast.parse((DEPLOY / f"{name}.py").read_text("utf-8"), feature_version=(3, 8))


LISTING = """\
:env:.timeout='20'
global.index-url='https://mirror.example/simple'
global.timeout='180'
install.index-url='https://nearer.example/simple'
freeze.timeout='1'
WARNING: something pip also said
"""


def test_pip_settings_follow_pips_own_precedence():
    settings = machine.pip_settings(LISTING, {"PIP_TIMEOUT": "20", "PIP_CERT": "", "PATH": "/bin"})
    assert settings == {"index-url": "https://nearer.example/simple", "timeout": "20"}


def test_uv_is_told_what_pip_was_told(tmp_path):
    bundle = tmp_path / "ca.pem"
    bundle.touch()
    told = machine.uv_environment(
        {
            "index-url": "https://mirror.example/simple",
            "extra-index-url": "https://more.example/simple\nhttps://most.example/simple",
            "find-links": str(tmp_path),
            "trusted-host": "mirror.example",
            "cert": str(bundle),
            "proxy": "http://proxy.example:3128",
            "timeout": "20",
        },
        {},
    )
    assert told == {
        "UV_DEFAULT_INDEX": "https://mirror.example/simple",
        "UV_INDEX": "https://more.example/simple https://most.example/simple",
        "UV_INDEX_STRATEGY": "unsafe-best-match",
        "UV_FIND_LINKS": str(tmp_path),
        "UV_INSECURE_HOST": "mirror.example",
        "UV_HTTP_TIMEOUT": "20",
        "SSL_CERT_FILE": str(bundle),
        "ALL_PROXY": "http://proxy.example:3128",
    }


def test_missing_local_folders_are_not_passed_on_because_uv_would_stop_at_them(tmp_path):
    pip = {
        "find-links": f"{tmp_path} /nowhere https://wheels.example/",
        "extra-index-url": f"file:///nowhere/simple file://{tmp_path}",
        "cert": "/nowhere/ca.pem",
    }
    told = machine.uv_environment(pip, {})
    assert told["UV_FIND_LINKS"] == f"{tmp_path},https://wheels.example/"
    assert told["UV_INDEX"] == f"file://{tmp_path}"
    assert "SSL_CERT_FILE" not in told


def test_what_the_user_told_uv_stays():
    pip = {"index-url": "https://a.example", "extra-index-url": "https://b.example", "find-links": "https://c.example"}
    told = machine.uv_environment(
        pip, {"UV_INDEX_URL": "https://mine.example", "UV_INDEX": "https://own.example", "UV_FIND_LINKS": "/own"}
    )
    assert told == {}


def test_a_certificate_bundle_for_requests_serves_uv_too(tmp_path):
    bundle = tmp_path / "ca.pem"
    bundle.touch()
    assert machine.uv_environment({}, {"REQUESTS_CA_BUNDLE": str(bundle)}) == {"SSL_CERT_FILE": str(bundle)}


def test_children_are_not_sent_elsewhere():
    environ = machine.child_environment({"PYTHONPATH": "/x", "PIP_TARGET": "/y", "PIP_USER": "1", "HOME": "/h"})
    assert "PYTHONPATH" not in environ
    assert "PIP_TARGET" not in environ
    assert environ["PIP_USER"] == "0"
    assert environ["HOME"] == "/h"


@pytest.fixture
def sources(tmp_path):
    for name in (*environment.PINS.values(), *environment.ALWAYS):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(f"content of {name}\n")
    return tmp_path


@pytest.mark.parametrize("changed", ["requirements/run.txt", "requirements/models.txt", "pyproject.toml"])
def test_the_key_changes_with_what_a_set_depends_on(sources, changed):
    before = environment.set_key("run", (3, 11, 7), sources)
    assert environment.set_key("run", (3, 11, 7), sources) == before
    (sources / changed).write_text("changed\n")
    assert environment.set_key("run", (3, 11, 7), sources) != before


def test_the_key_changes_with_the_python_and_not_with_the_other_set(sources):
    before = environment.set_key("run", (3, 11, 7), sources)
    assert environment.set_key("run", (3, 12, 1), sources) != before
    (sources / environment.PINS["dev"]).write_text("changed\n")
    assert environment.set_key("run", (3, 11, 7), sources) == before


def test_a_stamp_is_read_back_and_a_spoilt_one_counts_as_none(tmp_path):
    assert environment.read_stamp(tmp_path) == {}
    environment.write_stamp(tmp_path, {"run": "abc"})
    assert environment.read_stamp(tmp_path) == {"run": "abc"}
    (tmp_path / environment.STAMP).write_text('{"run": "a')
    assert environment.read_stamp(tmp_path) == {}
    (tmp_path / environment.STAMP).write_text("[]")
    assert environment.read_stamp(tmp_path) == {}


@pytest.fixture
def installed(tmp_path):
    """A folder that looks like an environment of this Python with the run set in it."""
    version = tuple(sys.version_info[:3])
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "python").symlink_to(sys.executable)
    (tmp_path / "bin" / "tithe").touch()
    (tmp_path / "lib" / f"python{version[0]}.{version[1]}" / "site-packages").mkdir(parents=True)
    (tmp_path / "pyvenv.cfg").touch()
    environment.write_stamp(
        tmp_path, {"place": environment.place(tmp_path), "run": environment.set_key("run", version)}
    )
    return tmp_path


def test_an_installed_set_is_ready_and_another_is_not(installed):
    assert environment.is_ready(installed, "run")
    assert not environment.is_ready(installed, "dev")


def test_a_larger_set_that_is_there_moves_along():
    assert environment.widest("run", {}) == "run"
    assert environment.widest("run", {"place": "/here", "run": "…", "text": "…"}) == "text"
    assert environment.widest("dev", {"run": "…", "text": "…"}) == "dev"


def test_another_build_of_torch_than_the_one_chosen_last_is_work_to_do(installed):
    key = environment.set_key("text", tuple(sys.version_info[:3]))
    environment.write_stamp(installed, {**environment.read_stamp(installed), "text": key, "torch": "gpu"})
    assert environment.is_ready(installed, "text")  # nobody said anything: what was chosen stays
    assert environment.is_ready(installed, "text", "gpu")
    assert not environment.is_ready(installed, "text", "cpu")
    assert environment.is_ready(installed, "run", "cpu")  # torch is no part of it


# ---- torch -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "said", ["", "cpu", " GPU ", "none", "https://mirror.example/whl/cpu", "file:///wheels/simple"]
)
def test_what_torch_may_name(said):
    assert pytorch.named(said) == (said.strip().lower() if "://" not in said else said)


@pytest.mark.parametrize("said", ["cuda", "2.13", "/folder", "https://a.example --pre", "ftp://a.example"])
def test_what_torch_may_not_name(said):
    with pytest.raises(machine.SetupError, match=r"TORCH is .* It may be cpu, gpu .*, none, or the address"):
        pytorch.named(said)


def test_on_linux_cuda_comes_only_when_asked_for():
    cpu = pytorch.sources("cpu", "linux", folders="/wheels")
    assert [source.label for source in cpu] == ["/wheels", pytorch.CPU_INDEX]
    assert "--no-index" in cpu[0].arguments
    assert cpu[1].arguments[0].endswith("+cpu")
    assert pytorch.sources("cpu", "linux") == cpu[1:]
    (gpu,) = pytorch.sources("gpu", "linux", folders="/wheels")
    assert gpu.arguments == (f"torch==={pytorch.TESTED}",)  # no "+cpu" counts as it


def test_on_a_mac_the_usual_index_serves():
    (usual,) = pytorch.sources("cpu", "darwin")
    assert usual.arguments == (f"torch=={pytorch.TESTED}",)


def test_an_index_that_was_named_is_the_only_one_asked():
    (own,) = pytorch.sources("https://mirror.example/cpu", "linux", folders="/wheels")
    assert own.arguments == (pytorch.ACCEPTED, "--index-url", "https://mirror.example/cpu")
    assert pytorch.sources("none", "linux", folders="/wheels") == []


def test_a_torch_that_fits_stays_until_another_build_is_named():
    assert pytorch.keeps("2.13.0+cpu", "", "")
    assert pytorch.keeps("2.6.0", "gpu", "gpu")
    assert not pytorch.keeps("2.13.0+cpu", "gpu", "cpu")
    assert not any(pytorch.keeps(version, "", "") for version in ("", "2.5.1", "3.0.0", "unknown"))


def test_the_range_is_the_one_that_the_project_names():
    assert f'"{pytorch.ACCEPTED}"' in (DEPLOY.parent / "pyproject.toml").read_text("utf-8")
    assert pytorch.fits(pytorch.TESTED)


@pytest.fixture
def bare(tmp_path):
    """A set-up of the text set in an environment that has uv and nothing else; no index answers."""
    venv = tmp_path / "venv"
    (venv / "bin").mkdir(parents=True)
    uv = Path(sys.executable).parent / "uv"
    if not uv.exists():
        pytest.skip("uv has no wheel for this machine")
    with environment.locked(venv) as lock:
        work = bootstrap.Setup(venv, "text", "", "", lock)
        work.children.run(uv, "venv", "--quiet", "--allow-existing", "--python", sys.executable, venv)
        (venv / "bin" / "uv").symlink_to(uv)
        work.children.environ.update(UV_HTTP_RETRIES="0", UV_OFFLINE="1", UV_CACHE_DIR=str(tmp_path / "cache"))
        yield work


def wheel(folder: Path, version: str) -> None:
    """Write a wheel that says it is torch of that version."""
    info = f"torch-{version}.dist-info"
    with zipfile.ZipFile(folder / f"torch-{version}-py3-none-any.whl", "w") as archive:
        archive.writestr("torch/__init__.py", "")
        archive.writestr(f"{info}/METADATA", f"Metadata-Version: 2.1\nName: torch\nVersion: {version}\n")
        archive.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        archive.writestr(f"{info}/RECORD", "")


def test_torch_comes_out_of_a_folder_of_wheels(bare, tmp_path):
    for version in ("2.5.0+cpu", "2.12.0+cpu", "3.0.0+cpu"):
        wheel(tmp_path, version)
    bare.children.environ["UV_FIND_LINKS"] = str(tmp_path)
    bare.install_torch("", with_uv=True)
    (there,) = (bare.venv / "lib").glob("python*/site-packages/torch-*.dist-info")
    assert there.name == "torch-2.12.0+cpu.dist-info"


def test_where_no_torch_is_to_be_had_the_message_says_what_was_asked_and_what_to_do(bare, tmp_path):
    wheel(tmp_path, "2.5.0+cpu")
    bare.children.environ["UV_FIND_LINKS"] = str(tmp_path)
    with pytest.raises(machine.SetupError) as trouble:
        bare.install_torch("", with_uv=True)
    text = str(trouble.value)
    assert f"Asked: {tmp_path}, {pytorch.CPU_INDEX}." in text
    for way in ("TORCH=https://", "UV_FIND_LINKS=", "TORCH=gpu", "TORCH=none", "make demo"):
        assert way in text


def test_without_torch_none_is_fetched(bare):
    bare.torch = "none"
    bare.install_torch("", with_uv=True)
    assert not list((bare.venv / "lib").glob("python*/site-packages/torch*"))


def test_a_moved_environment_is_not_ready(installed, tmp_path_factory):
    elsewhere = installed.rename(tmp_path_factory.mktemp("moved") / "venv")
    assert not environment.is_ready(elsewhere, "run")


def test_an_environment_whose_python_is_gone_is_not_ready(installed):
    (installed / "bin" / "python").unlink()
    (installed / "bin" / "python").symlink_to("/nowhere/python")
    assert not environment.is_ready(installed, "run")


def test_an_environment_whose_python_became_another_version_is_not_ready(installed):
    (installed / "lib").rename(installed / "lib.old")
    assert environment.venv_version(installed) is None
    assert not environment.is_ready(installed, "run")


def test_a_folder_of_someone_elses_is_neither_filled_nor_removed(tmp_path):
    (tmp_path / "thesis.tex").touch()
    with pytest.raises(machine.SetupError, match="neither empty nor a virtual environment"):
        bootstrap.setup(tmp_path, "run", "")
    with pytest.raises(machine.SetupError, match="not a virtual environment"):
        bootstrap.clean(tmp_path)
    assert [entry.name for entry in tmp_path.iterdir()] == ["thesis.tex"]


def test_clean_removes_an_environment_and_does_not_mind_a_missing_one(installed):
    bootstrap.clean(installed)
    assert not installed.exists()
    bootstrap.clean(installed)


def test_a_child_that_fails_brings_its_output(tmp_path):
    with environment.locked(tmp_path) as lock:
        children = bootstrap.Children(tmp_path, lock)
        assert children.run(sys.executable, "-c", "print('said')") == "said\n"
        with pytest.raises(bootstrap.CommandError, match="exited 3\nwhy\n"):
            children.run(sys.executable, "-c", "print('why'); raise SystemExit(3)")


@pytest.mark.parametrize(
    ("output", "trouble"),
    [
        ("OSError: [Errno 28] No space left on device", "disk"),
        ("THESE PACKAGES DO NOT MATCH THE HASHES FROM THE REQUIREMENTS FILE", "hash"),
        ("SSLError(SSLCertVerificationError(1, '[SSL: CERTIFICATE_VERIFY_FAILED]", "certificate"),
        ("[Errno 111] Connection refused\nERROR: No matching distribution found for uv==1.0", "network"),
        ("ERROR: No matching distribution found for uv==1.0", "platform"),
        ("Segmentation fault", None),
    ],
)
def test_known_troubles_are_recognised_and_answered(output, trouble):
    assert machine.diagnose(output) == trouble
    assert machine.explain(output).startswith(output.splitlines()[0])
    assert trouble is None or machine.explain(output).endswith(machine.REMEDIES[trouble])


def test_every_requirement_is_pinned_with_a_hash_and_names_no_place():
    for name in ("lock", "text", "run", "models", "uv", "label-studio"):
        text = (DEPLOY.parent / "requirements" / f"{name}.txt").read_text("utf-8")
        pins = [line for line in text.splitlines() if line[:1].isalnum()]
        assert pins
        assert all("==" in line and line.endswith("\\") for line in pins)
        assert not [line for line in pins if line.startswith(("torch=", "nvidia", "cuda", "triton"))]
        assert "://" not in text
        assert "--index-url" not in text
        assert "--find-links" not in text


def test_what_runs_is_pinned_to_what_is_tested():
    pins = {}
    for name in ("lock", "text", "run"):
        text = (DEPLOY.parent / "requirements" / f"{name}.txt").read_text("utf-8")
        # What is tested may need a package on more systems than what runs, never another version of it.
        pins[name] = {line.rstrip(" \\").partition(" ;")[0] for line in text.splitlines() if line[:1].isalnum()}
    assert pins["run"] < pins["text"] < pins["lock"]
