"""A deployment on this machine: one SuperLink with TLS and node authentication, one SuperNode process per household.

What an operator does by hand on several machines (``docs/deployment.md``), done on loopback: certificates, a key for
each household, registration, processes.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from server.launch import CONNECTION, SuperLink, flwr, free_port, process, superlink

_VALID_FOR = timedelta(days=7)


@contextmanager
def deployment(work: Path, household_dirs: Sequence[Path]) -> Iterator[SuperLink]:
    """A SuperLink and a SuperNode for each household folder, all on loopback; gone when the block ends.

    Raises:
        LaunchError: a process did not start or a key was not accepted.
    """
    keys = work / "keys"
    keys.mkdir(parents=True, exist_ok=True)
    certificate, server_certificate, server_key = make_certificates(keys)
    options = [
        "--ssl-certfile", str(server_certificate), "--ssl-keyfile", str(server_key),
        "--ssl-ca-certfile", str(certificate), "--enable-supernode-auth", "--database", str(work / "superlink.db"),
    ]  # fmt: skip
    with ExitStack() as stack:
        link = stack.enter_context(superlink(work, options, certificate))
        for folder in household_dirs:
            private, public = make_node_key(keys, folder.name)
            flwr(link, "supernode", "register", str(public), CONNECTION)
            stack.enter_context(_supernode(link, work, folder, private))
        yield link


@contextmanager
def _supernode(link: SuperLink, work: Path, folder: Path, private: Path) -> Iterator[None]:
    """A SuperNode with a ``FLWR_HOME`` of its own, as on a machine of its own."""
    command = [
        "flower-supernode", "--superlink", link.address, "--root-certificates", str(link.certificate),
        "--auth-supernode-private-key", str(private), "--port", str(free_port()),
        "--node-config", f'household-dir="{folder.resolve()}"',
    ]  # fmt: skip
    home = work / "nodes" / folder.name
    home.mkdir(parents=True, exist_ok=True)
    with process(command, link.environment() | {"FLWR_HOME": str(home)}, home, link.logs / f"{folder.name}.log"):
        yield


def make_certificates(folder: Path) -> tuple[Path, Path, Path]:
    """A certificate authority and a certificate for loopback: paths of CA, server certificate, server key (PEM)."""
    ca_key, server_key = ec.generate_private_key(ec.SECP384R1()), ec.generate_private_key(ec.SECP384R1())
    ca_name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Commonwatt loopback CA")])
    server_name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    ca = (
        _certificate(ca_name, ca_name, ca_key.public_key())
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(ca_key, hashes.SHA384())
    )
    names = x509.SubjectAlternativeName([x509.DNSName("localhost"), x509.IPAddress(IPv4Address("127.0.0.1"))])
    server = (
        _certificate(server_name, ca_name, server_key.public_key())
        .add_extension(names, critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .sign(ca_key, hashes.SHA384())
    )
    paths = folder / "ca.crt", folder / "server.pem", folder / "server.key"
    paths[0].write_bytes(ca.public_bytes(serialization.Encoding.PEM))
    paths[1].write_bytes(server.public_bytes(serialization.Encoding.PEM))
    _write_secret(
        paths[2],
        server_key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        ),
    )
    return paths


def _certificate(
    subject: x509.Name, issuer: x509.Name, public_key: ec.EllipticCurvePublicKey
) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(public_key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(minutes=5))
        .not_valid_after(now + _VALID_FOR)
    )


def make_node_key(folder: Path, name: str) -> tuple[Path, Path]:
    """A SuperNode's key pair (ECDSA P-384, OpenSSH format): paths of the private and the public key."""
    key = ec.generate_private_key(ec.SECP384R1())
    private, public = folder / name, folder / f"{name}.pub"
    _write_secret(
        private,
        key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.OpenSSH, serialization.NoEncryption()
        ),
    )
    public.write_bytes(
        key.public_key().public_bytes(serialization.Encoding.OpenSSH, serialization.PublicFormat.OpenSSH) + b"\n"
    )
    return private, public


def _write_secret(path: Path, content: bytes) -> None:
    path.touch(mode=0o600)
    path.write_bytes(content)
