"""The seam to a model hub: what it says of a file, and the file's bytes, resumed where they broke.

`huggingface_hub` (extra `hub`) knows the addresses, the token and the meaning of refusals; its
HF_ENDPOINT, HF_TOKEN and HF_HUB_OFFLINE hold here too. It downloads into files of random names that
are lost with the process, so the bytes are fetched here, by ranges over plain HTTP, and what is
there stays. Only this module sees its types and errors.
"""

from __future__ import annotations

import errno
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from npc_server.base_models.catalogue import NamedModel
from npc_server.base_models.errors import (
    BaseModelError,
    DiskFullError,
    HubMissingError,
    HubRefusedError,
    ModelUnavailableError,
    NotOnHubError,
)
from npc_server.base_models.gguf_file import require_whole
from npc_server.base_models.own_process import Report
from npc_server.base_models.sources import HubSource

if TYPE_CHECKING:
    from huggingface_hub import HfApi
    from huggingface_hub.errors import HfHubHTTPError

_SHA256_DIGITS = 64
_TIMEOUT_S = 30.0  # without a byte
_TRIES = 5  # in a row without a byte
_PAUSE_S = 1.0  # between two of them
_NO_ROOM = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
_MISSING = (
    "models of a hub need the package huggingface_hub; install it with: pip install 'troupe[hub]'"
)


@dataclass(frozen=True)
class HubFile:
    """What the hub says of a file."""

    revision: str  # the commit
    sha256: str
    size_bytes: int


@dataclass(frozen=True)
class Hub:
    """One hub."""

    endpoint: str | None = None  # None = HF_ENDPOINT, or huggingface.co

    @property
    def address(self) -> str:
        """Where it is."""
        return self._api().endpoint

    def describe(self, source: HubSource) -> HubFile:
        """Ask what a file is, to the byte.

        Raises InvalidModelError for one file of a split model, NotOnHubError with what there is,
        HubRefusedError, HubMissingError, ModelUnavailableError.
        """
        require_whole(source.file_name)
        with self._translate_errors(source):
            from huggingface_hub import get_hf_file_metadata, hf_hub_url

            url = hf_hub_url(
                source.repo, source.file, revision=source.revision or None, endpoint=self.endpoint
            )
            stated = get_hf_file_metadata(url, endpoint=self.endpoint)
        sha256, commit, size = stated.etag or "", stated.commit_hash or "", stated.size or 0
        if len(sha256) != _SHA256_DIGITS or not commit or not size:
            raise ModelUnavailableError(
                f"{self.address} tells no sha256, commit and size of {source}, so a download could"
                " not be checked; fetch the file yourself and add it by its path: npc model add"
            )
        return HubFile(commit, sha256, size)

    def license_of(self, source: HubSource) -> str:
        """The licence that the repository states; "" = none."""
        with self._translate_errors(source):
            card = self._api().model_info(source.repo, revision=source.revision or None).card_data
            return str(card.get("license_name") or card.get("license") or "") if card else ""

    def download(self, model: NamedModel, part: Path, report: Report) -> None:
        """Fetch a pinned model into `part`, on top of what is there.

        Raises DiskFullError, and the errors of `describe`; what was fetched stays.
        """
        assert isinstance(model.source, HubSource)
        with self._translate_errors(model.source), part.open("ab") as file:
            tries = _TRIES
            while (have := file.tell()) < model.size_bytes:
                try:
                    self._append(model, model.source, file, report)
                except _cut_off() as error:
                    tries = _TRIES if file.tell() > have else tries - 1
                    if not tries:
                        raise ModelUnavailableError(_broken(model, file.tell(), error)) from error
                    report("trying again", file.tell(), model.size_bytes)
                    time.sleep(_PAUSE_S)

    def _append(self, model: NamedModel, source: HubSource, file: Any, report: Report) -> None:
        """Ask for what is missing, once."""
        from huggingface_hub import hf_hub_url
        from huggingface_hub.utils import (  # type: ignore[attr-defined]  # it says so in its docs
            build_hf_headers,
            hf_raise_for_status,
            http_stream_backoff,
        )

        # The address is asked anew each time: what it leads to is signed for some minutes only.
        url = hf_hub_url(
            source.repo, source.file, revision=source.revision or None, endpoint=self.endpoint
        )
        headers = build_hf_headers() | {"Accept-Encoding": "identity"}
        headers |= {"Range": f"bytes={file.tell()}-"} if file.tell() else {}
        with http_stream_backoff(
            "GET", url, headers=headers, timeout=_TIMEOUT_S, retry_on_exceptions=()
        ) as response:
            hf_raise_for_status(response)
            if response.status_code == 200 and file.tell():  # ranges are not known here
                file.truncate(0)
            for chunk in response.iter_bytes():
                _write(model, file, chunk)
                report("downloading", file.tell(), model.size_bytes)

    def _api(self) -> HfApi:
        with _require_package():
            from huggingface_hub import HfApi

            return HfApi(endpoint=self.endpoint)

    @contextmanager
    def _translate_errors(self, source: HubSource) -> Iterator[None]:
        """Raise our errors for the library's."""
        with _require_package():
            import httpx2
            from huggingface_hub.errors import (
                HfHubHTTPError,
                HFValidationError,
                OfflineModeIsEnabled,
            )
        try:
            yield
        except HFValidationError as error:
            raise NotOnHubError(f"repository on {self.address}", source.repo, ()) from error
        except OfflineModeIsEnabled as error:
            raise ModelUnavailableError(
                "HF_HUB_OFFLINE is set, so nothing is fetched from a hub; unset it"
            ) from error
        except HfHubHTTPError as error:
            raise self._refusal(source, error) from error
        except httpx2.HTTPError as error:
            raise ModelUnavailableError(
                f"{self.address} cannot be reached: {error or type(error).__name__}; check the"
                " network, the proxy (HTTPS_PROXY) and HF_ENDPOINT, and run the command again"
            ) from error

    def _refusal(self, source: HubSource, error: HfHubHTTPError) -> BaseModelError:
        """What a refusal means here; the order matters, since some are kinds of others."""
        from huggingface_hub import errors

        match error:
            case errors.GatedRepoError():
                return HubRefusedError(self._gate(source, error))
            case errors.RemoteEntryNotFoundError():
                return NotOnHubError(f"file of {source.repo}", source.file, self._ggufs(source))
            case errors.RevisionNotFoundError():
                known = self._revisions(source)
                return NotOnHubError(f"revision of {source.repo}", source.revision, known)
            case errors.RepositoryNotFoundError():
                remark = "" if self._token() else ", or it is private: log in with: hf auth login"
                what = f"repository on {self.address}"
                return NotOnHubError(what, source.repo, self._repos(source), remark)
        return _refusal_by_status(self.address, source, error)

    def _gate(self, source: HubSource, error: HfHubHTTPError) -> str:
        """What to do about a repository whose licence must be accepted on the hub."""
        page = f"{self.address}/{source.repo}"
        if not self._token():
            return (
                f"{source.repo} asks for its licence to be accepted, and you are not logged in:"
                f" open {page} in a browser and accept it, make a token with read access at"
                f" {self.address}/settings/tokens, log in with: hf auth login (or set HF_TOKEN),"
                " and run the command again"
            )
        return (
            f"{source.repo} does not let this token in ({error.response.status_code}): open {page}"
            " in a browser, with the account of the token, and accept the licence; where an owner"
            " decides, wait for the answer. A fine-grained token needs the right to read gated"
            " repositories"
        )

    def _token(self) -> str | None:
        from huggingface_hub import get_token

        return get_token()

    def _ggufs(self, source: HubSource) -> Sequence[str]:
        return _names_listed(
            lambda: [
                name
                for name in self._api().list_repo_files(
                    source.repo, revision=source.revision or None
                )
                if name.lower().endswith(".gguf")
            ]
        )

    def _revisions(self, source: HubSource) -> Sequence[str]:
        def names() -> list[str]:
            refs = self._api().list_repo_refs(source.repo)
            return [ref.name for ref in (*refs.branches, *refs.tags)]

        return _names_listed(names)

    def _repos(self, source: HubSource) -> Sequence[str]:
        owner = source.repo.partition("/")[0]
        return _names_listed(
            lambda: [found.id for found in self._api().list_models(author=owner, limit=200)]
        )


def pinned_model(model: NamedModel, stated: HubFile) -> NamedModel:
    """The model as the very file that the hub states. Raises ModelUnavailableError for another."""
    assert isinstance(model.source, HubSource)
    if model.sha256 and model.sha256 != stated.sha256:
        raise ModelUnavailableError(
            f"{model.source} is another file by now: sha256 {stated.sha256[:16]}…, and {model.name}"
            f" is {model.sha256[:16]}…. Take the new one under a name of its own: npc model add"
            f" MY-NAME {model.source}"
        )
    source = replace(model.source, revision=stated.revision)
    return replace(model, source=source, sha256=stated.sha256, size_bytes=stated.size_bytes)


@contextmanager
def _require_package() -> Iterator[None]:
    try:
        yield
    except ModuleNotFoundError as error:
        raise HubMissingError(_MISSING) from error


def _cut_off() -> tuple[type[Exception], ...]:
    """What a connection that breaks raises."""
    import httpx2

    return (httpx2.TransportError,)


def _broken(model: NamedModel, have: int, error: Exception) -> str:
    return (
        f"the download of {model.name} broke off at {have:,} of {model.size_bytes:,} bytes:"
        f" {error or type(error).__name__}. What is here stays; go on with: {model.pull_command}"
    )


def _write(model: NamedModel, file: Any, chunk: bytes) -> None:
    """Append to a file. Raises DiskFullError for a disk that is full meanwhile."""
    try:
        file.write(chunk)
        file.flush()
    except OSError as error:
        if error.errno not in _NO_ROOM:
            raise
        raise DiskFullError(
            f"{Path(file.name).parent} is full: {error.strerror} at {file.tell():,} of"
            f" {model.size_bytes:,} bytes of {model.name}. Make room, or set [paths] cache to"
            f" another disk; what is here stays: go on with {model.pull_command}"
        ) from error


def _refusal_by_status(
    address: str, source: HubSource, error: HfHubHTTPError
) -> ModelUnavailableError:
    status = error.response.status_code
    if status in (401, 403):
        return HubRefusedError(
            f"{address} refuses {source} ({status}): the token is wrong or expired, or lacks the"
            " right to read it. Log in anew with: hf auth login, or set HF_TOKEN to another"
        )
    if status == 429:
        return ModelUnavailableError(
            f"{address} has had too many requests from here (429); wait some minutes, or log in"
            " with: hf auth login, which raises the limit"
        )
    return ModelUnavailableError(
        f"{address} answered {status} for {source}: {str(error).splitlines()[0]}; run the command"
        " again later"
    )


def _names_listed(names: Any) -> Sequence[str]:
    """What a hub lists; nothing where it does not tell, since this only helps an error along."""
    import httpx2
    from huggingface_hub.errors import HfHubHTTPError

    try:
        found: Sequence[str] = names()
    except (HfHubHTTPError, httpx2.HTTPError, ValueError):
        return ()
    return found
