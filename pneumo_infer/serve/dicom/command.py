"""The options of `pneumo-serve dicom`."""

from __future__ import annotations

import re
import ssl
from ipaddress import IPv4Network, IPv6Network, ip_network
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pneumo_infer.cli.command import DeviceChoice
from pneumo_infer.cli.exit_codes import exit_codes
from pneumo_infer.cli.model_options import MEGABYTE, DeviceOption, ModelOption, ThresholdOption
from pneumo_infer.errors import MissingExtraError, PneumoError
from pneumo_infer.limits import Limits

if TYPE_CHECKING:
    from pneumo_infer.serve.dicom.delivery import Destination

READING_SECONDS = 60  # more than elsewhere: a film that is refused because the machine is busy is not read again
AE_TITLE = re.compile(r"[\x21-\x5b\x5d-\x7e]([\x20-\x5b\x5d-\x7e]{0,14}[\x21-\x5b\x5d-\x7e])?")  # PS3.5 6.2
ANOTHER_NODE = re.compile(r"(?P<title>[^@]+)@(?P<host>\[[^]]+]|[^:]+):(?P<port>\d{1,5})")
LOOPBACK = ("127.0.0.1", "::1", "localhost")


def serve_dicom(
    spool: Annotated[Path, typer.Option(metavar="DIR", help="Folder for films and answers on their way.")],
    send_to: Annotated[
        str | None, typer.Option(metavar="AE@HOST:PORT", help="Send answers to this node, such as a PACS.")
    ] = None,
    write_to: Annotated[
        Path | None, typer.Option(metavar="DIR", exists=True, file_okay=False, help="Write answers into this folder.")
    ] = None,
    title: Annotated[str, typer.Option("--aet", metavar="TITLE", help="AE title of this node.")] = "PNEUMO",
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port to listen on; 0 for any free one.")] = 11112,
    allow_aet: Annotated[
        list[str] | None, typer.Option(metavar="TITLE", help="Accept associations from these AE titles only.")
    ] = None,
    allow_peer: Annotated[
        list[str] | None,
        typer.Option(metavar="ADDRESS", help="Accept connections from these addresses or networks (10.0.0.0/8) only."),
    ] = None,
    allow_any: Annotated[
        bool, typer.Option("--allow-any", help="Accept connections from other machines without a list.")
    ] = False,
    tls_certificate: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Listen over TLS with this certificate (PEM).")
    ] = None,
    tls_key: Annotated[Path | None, typer.Option(metavar="FILE", help="Key of the certificate.")] = None,
    tls_ca: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Accept only peers with a certificate of this authority.")
    ] = None,
    send_tls: Annotated[bool, typer.Option("--send-tls", help="Send over TLS as well, with the same files.")] = False,
    max_associations: Annotated[int, typer.Option(min=1, help="Associations at the same time.")] = 8,
    max_megabytes: Annotated[
        int, typer.Option(min=1, metavar="MB", help="Size of the largest object that is accepted.")
    ] = 100,
    spool_megabytes: Annotated[
        int, typer.Option(min=1, metavar="MB", help="Refuse films while the spool is larger.")
    ] = 10_000,
    remember_days: Annotated[
        int, typer.Option(min=1, metavar="DAYS", help="How long films are recognised if they are sent again.")
    ] = 30,
    model: ModelOption = None,
    threshold: ThresholdOption = None,
    device: DeviceOption = DeviceChoice.AUTO,
    threads: Annotated[int | None, typer.Option(min=1, help="CPU threads. Default: all available CPUs.")] = None,
) -> None:
    """Receive films from a PACS or a modality, and answer each with a structured report and an overlay.

    Stops at SIGTERM; films that are not answered yet are kept in the spool for the next start.
    """
    _require_titles(title, *(allow_aet or []))
    networks = _parse_networks(allow_peer or [])
    if host not in LOOPBACK and not (allow_aet or networks or allow_any):
        raise typer.BadParameter("other machines need --allow-aet, --allow-peer or --allow-any", param_hint="--host")
    if (send_to is None) == (write_to is None):
        raise typer.BadParameter("give either --send-to or --write-to")
    if (tls_certificate is None) != (tls_key is None):
        raise typer.BadParameter("--tls-certificate and --tls-key need each other")
    with exit_codes("pneumo-serve", lambda: "films that are not answered yet are in the spool"):
        _require_packages()
        from pneumo_infer.classifier import Classifier
        from pneumo_infer.decision import number_or_name
        from pneumo_infer.serve.dicom.connections import Listening
        from pneumo_infer.serve.dicom.delivery import Folder
        from pneumo_infer.serve.dicom.log import start_logging
        from pneumo_infer.serve.dicom.node import Node

        limits = Limits(encoded_bytes=max_megabytes * MEGABYTE, seconds=READING_SECONDS)
        classifier = Classifier(
            model,
            device=device.value,
            threads=threads,
            threshold=number_or_name(threshold),
            limits=limits,
            isolate=True,
        )
        start_logging()
        destination: Destination
        if write_to is not None:
            destination = Folder(write_to)
        else:
            sending = _client_tls(tls_certificate, tls_key, tls_ca) if send_tls else None
            destination = _parse_node(str(send_to), title, sending)
        listening = Listening(
            host=host,
            port=port,
            title=title,
            peer_titles=tuple(allow_aet or ()),
            peer_networks=networks,
            max_associations=max_associations,
            max_bytes=limits.encoded_bytes,
            tls=_server_tls(tls_certificate, tls_key, tls_ca),
        )
        Node(classifier, listening, destination, spool, spool_megabytes * MEGABYTE, remember_days).run()


def _require_packages() -> None:
    for package in ("pydicom", "pynetdicom", "highdicom", "imagecodecs"):
        try:
            __import__(package)
        except ModuleNotFoundError as error:
            raise MissingExtraError(error.name or package, "serve") from None


def _require_titles(*titles: str) -> None:
    for title in titles:
        if AE_TITLE.fullmatch(title) is None:
            raise typer.BadParameter(f"{title!r} is not an AE title: up to 16 characters of ASCII", param_hint="--aet")


def _parse_networks(addresses: list[str]) -> tuple[IPv4Network | IPv6Network, ...]:
    try:
        return tuple(ip_network(address) for address in addresses)
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="--allow-peer") from None


def _parse_node(text: str, own_title: str, tls: ssl.SSLContext | None) -> Destination:
    from pneumo_infer.serve.dicom.delivery import OtherNode

    parts = ANOTHER_NODE.fullmatch(text)
    if parts is None or AE_TITLE.fullmatch(parts["title"]) is None or int(parts["port"]) > 65535:
        raise PneumoError(f"--send-to {text}", "is not AE@HOST:PORT", "give it like PACS@192.168.1.5:104")
    return OtherNode(parts["title"], parts["host"].strip("[]"), int(parts["port"]), own_title, tls)


def _server_tls(certificate: Path | None, key: Path | None, authority: Path | None) -> ssl.SSLContext | None:
    if certificate is None:
        return None
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    _load(context, certificate, key, authority)
    if authority is not None:
        context.verify_mode = ssl.CERT_REQUIRED
    return context


def _client_tls(certificate: Path | None, key: Path | None, authority: Path | None) -> ssl.SSLContext:
    context = ssl.create_default_context(ssl.Purpose.SERVER_AUTH)
    _load(context, certificate, key, authority)
    return context


def _load(context: ssl.SSLContext, certificate: Path | None, key: Path | None, authority: Path | None) -> None:
    try:
        if certificate is not None:
            context.load_cert_chain(certificate, key)
        if authority is not None:
            context.load_verify_locations(authority)
    except OSError as error:  # ssl.SSLError is one
        raise PneumoError("--tls files", f"cannot be used ({error.strerror})", "give files in PEM format") from None
