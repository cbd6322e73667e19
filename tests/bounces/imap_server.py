"""A small IMAP server in this process: what reading a mailbox needs, and a note of everything that is asked."""

import base64
import re
import socketserver
import ssl
import threading
from contextlib import suppress
from dataclasses import dataclass, field

from tests.outbox.post_office import authority

_UID_FETCH = re.compile(r"UID FETCH (\d+) \(BODY\.PEEK\[\]<0\.(\d+)>\)")
_UID_SEARCH = re.compile(r"UID SEARCH (?:UID (\d+):\*|SINCE (\d+-[A-Z][a-z]{2}-\d{4}))")


@dataclass
class Folder:
    """``mails`` by their numbers; ``answers`` to a command, by its first words, in place of its own."""

    mails: dict[int, bytes] = field(default_factory=dict)
    uid_validity: int = 7
    login: tuple[str, str] = ("bounces", "hunter2")
    name: str = "INBOX"
    capabilities: str = "IMAP4rev1 AUTH=PLAIN"
    answers: dict[str, str] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)


class ImapServer(socketserver.ThreadingTCPServer):
    """``with ImapServer(folder) as url``; ``tls`` is "from the start", "offered" or empty. It listens from its making
    on, so that nobody has to wait for it.
    """

    daemon_threads = False
    allow_reuse_address = True

    def __init__(self, folder: Folder, *, tls: str = "") -> None:
        super().__init__(("127.0.0.1", 0), _Dialogue)
        self.folder, self.tls = folder, tls
        self.context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        authority().issue_cert("127.0.0.1").configure_cert(self.context)

    def __enter__(self) -> str:
        threading.Thread(target=self.serve_forever, args=(0.01,), daemon=True).start()
        scheme, (host, port) = "imaps" if self.tls == "from the start" else "imap", self.server_address
        user, password = self.folder.login
        return f"{scheme}://{user}:{password}@{host}:{port}/{self.folder.name}"

    def __exit__(self, *_error) -> None:
        self.shutdown()
        self.server_close()


class _Dialogue(socketserver.BaseRequestHandler):
    server: ImapServer

    def setup(self) -> None:
        self.folder = self.server.folder
        self.encrypted = False

    def handle(self) -> None:
        # Whoever does not trust us leaves.
        with suppress(OSError):
            if self.server.tls == "from the start":
                self.encrypt()
            self.say("* OK ready")
            while command := self.next_command():
                if not self.answer(*command):
                    break

    def finish(self) -> None:
        if self.encrypted:
            self.request.close()

    def encrypt(self) -> None:
        self.request = self.server.context.wrap_socket(self.request, server_side=True, do_handshake_on_connect=False)
        self.encrypted = True
        self.request.do_handshake()

    def next_command(self) -> tuple[str, str] | None:
        """Its tag, and what is asked."""
        tag, _, command = self.next_line().partition(" ")
        if not tag:
            return None
        self.folder.asked.append("LOGIN" if command.startswith("LOGIN") else command)
        return tag, command

    def next_line(self) -> str:
        line = b""
        while not line.endswith(b"\n") and (more := self.request.recv(1)):
            line += more
        return line.decode().strip()

    def answer(self, tag: str, command: str) -> bool:
        """False where the conversation is over."""
        given = next((said for words, said in self.folder.answers.items() if command.startswith(words)), None)
        if given is not None:
            self.say(*given.format(tag=tag).splitlines())
            return given != ""
        match command.split(" ")[0]:
            case "CAPABILITY":
                starttls = " STARTTLS" if self.server.tls == "offered" else ""
                self.say(f"* CAPABILITY {self.folder.capabilities}{starttls}", f"{tag} OK done")
            case "STARTTLS":
                self.say(f"{tag} OK done")
                self.encrypt()
            case "AUTHENTICATE":
                self.say("+ ")
                given = base64.b64decode(self.next_line())
                self.sign_in(tag, given == "\0{}\0{}".format(*self.folder.login).encode())
            case "LOGIN":
                _, user, password = command.split(" ")
                self.sign_in(tag, (user, password.strip('"')) == self.folder.login)
            case "EXAMINE" if command == f'EXAMINE "{self.folder.name}"':
                here = f"* OK [UIDVALIDITY {self.folder.uid_validity}] valid"
                self.say(f"* {len(self.folder.mails)} EXISTS", here, f"{tag} OK [READ-ONLY] done")
            case "EXAMINE":
                self.say(f"{tag} NO there is no such folder")
            case "UID" if found := _UID_SEARCH.fullmatch(command):
                first = int(found[1] or 1)
                # As RFC 3501 has it: “*” is the last mail, so that it is found in any case.
                uids = [uid for uid in self.folder.mails if uid >= first] or list(self.folder.mails)[-1:]
                self.say(f"* SEARCH {' '.join(map(str, uids))}".strip(), f"{tag} OK done")
            case "UID" if found := _UID_FETCH.fullmatch(command):
                mail = self.folder.mails.get(int(found[1]))
                if mail is not None:
                    part = mail[: int(found[2])]
                    begun = f"* 1 FETCH (UID {found[1]} BODY[]<0> {{{len(part)}}}\r\n"
                    self.request.sendall(begun.encode() + part + b")\r\n")
                self.say(f"{tag} OK done")
            case "LOGOUT":
                self.say("* BYE", f"{tag} OK done")
                return False
            case _:
                self.say(f"{tag} BAD unknown")
        return True

    def sign_in(self, tag: str, right: bool) -> None:
        self.say(f"{tag} OK done" if right else f"{tag} NO [AUTHENTICATIONFAILED] not {self.folder.login[1]}")

    def say(self, *lines: str) -> None:
        self.request.sendall("".join(f"{line}\r\n" for line in lines).encode())
