"""The verbs on users, sessions, devices, attempts and second factors, on messages and on events."""

from __future__ import annotations

from typing import Annotated

import typer

from holdfast_cli.core.settings import Settings
from holdfast_cli.operate import admin, logs, prompts
from holdfast_cli.operate import events as events_module
from holdfast_cli.operate import introspect as introspect_module
from holdfast_cli.operate import publish as publish_module
from holdfast_cli.operate import tail as tail_module
from holdfast_cli.verbs.declare import ENVIRONMENT, group, verb

users = group("users", "Accounts: find, create, set a password, set claims, disable, enable, delete.")
sessions = group("sessions", "A user's sessions: list, end one, end all.")
devices = group("devices", "A user's trusted devices.")
attempts = group("attempts", "Attempt budgets of an e-mail address from an IP address: show, clear.")
mfa = group("mfa", "A user's second factor.")
events = group("events", "The event bus.")

User = Annotated[str, typer.Argument(help="The user's e-mail address, or user id.", metavar="USER", show_default=False)]
Session = Annotated[str, typer.Argument(help="The session id.", metavar="SESSION", show_default=False)]
Device = Annotated[str, typer.Argument(help="The device id.", metavar="DEVICE", show_default=False)]
Email = Annotated[str, typer.Argument(help="The e-mail address.", metavar="EMAIL", show_default=False)]
Actor = Annotated[str, typer.Option("--actor", help="Who acts, in events and in the audit trail (the caller's role and session name).",
                                    metavar="NAME", show_default=False)]
Yes = Annotated[bool, typer.Option("--yes", help="Do not ask for confirmation.", show_default=False)]
From_stdin = Annotated[bool, typer.Option("--password-stdin", help="Read the password from the first line of standard input.", show_default=False)]
Ip = Annotated[str, typer.Option("--ip", help="The client's IP address.", metavar="ADDRESS", show_default=False)]


@verb(*ENVIRONMENT, of=users, name="find")
def users_find(settings: Settings, user: User) -> None:
    """Show an account, its live sessions and its trusted devices."""
    admin.show(admin.operator(settings), user, "user", "sessions", "devices")


@verb(*ENVIRONMENT, of=users, name="create")
def users_create(settings: Settings, email: Email, password_stdin: From_stdin = False, actor: Actor = "") -> None:
    """Create an account, whether registration is open or not."""
    by = admin.operator(settings, actor, changes=True)
    admin.create(by, email, prompts.password(password_stdin))


@verb(*ENVIRONMENT, of=users, name="set-password")
def users_set_password(settings: Settings, user: User, password_stdin: From_stdin = False, actor: Actor = "") -> None:
    """Set another password; this ends all sessions and removes all trusted devices."""
    by = admin.operator(settings, actor, changes=True)
    admin.change(by, "set-password", user, "Password set,", password=prompts.password(password_stdin))


@verb(*ENVIRONMENT, of=users, name="disable")
def users_disable(settings: Settings, user: User, actor: Actor = "") -> None:
    """Refuse every sign-in and end all sessions; `enable` allows sign-ins again."""
    admin.change(admin.operator(settings, actor, changes=True), "disable", user, "Account disabled,")


@verb(*ENVIRONMENT, of=users, name="enable")
def users_enable(settings: Settings, user: User, actor: Actor = "") -> None:
    """Allow sign-ins again; nothing that was ended comes back."""
    admin.change(admin.operator(settings, actor, changes=True), "enable", user, "Account enabled,")


@verb(*ENVIRONMENT, of=users, name="claims")
def users_claims(settings: Settings, user: User,
                 to: Annotated[str, typer.Option("--set", help="Replace the claims by this JSON object; - reads it from standard input.",
                                                 metavar="JSON", show_default=False)] = "", actor: Actor = "") -> None:
    """Show or replace the claims of a user, which every session of the user carries."""
    if to:
        admin.set_claims(admin.operator(settings, actor, changes=True), user, admin.claims_of(to))
    else:
        admin.claims(admin.operator(settings), user)


@verb(*ENVIRONMENT, of=users, name="delete")
def users_delete(settings: Settings, user: User, yes: Yes = False, actor: Actor = "") -> None:
    """Delete a user and everything that is kept under the account; this cannot be undone."""
    question = f"Delete {user}, with everything that is kept under the account?"
    admin.change_asked(admin.operator(settings, actor, changes=True), "delete", user, question, "User deleted,", yes)


@verb(*ENVIRONMENT, of=sessions, name="list")
def sessions_list(settings: Settings, user: User) -> None:
    """List a user's live sessions."""
    admin.show(admin.operator(settings), user, "sessions")


@verb(*ENVIRONMENT, of=sessions, name="end")
def sessions_end(settings: Settings, user: User, session: Session, actor: Actor = "") -> None:
    """End one session and remove its trusted device."""
    admin.change(admin.operator(settings, actor, changes=True), "end", user, "", sessionId=session)


@verb(*ENVIRONMENT, of=sessions, name="end-all")
def sessions_end_all(settings: Settings, user: User, yes: Yes = False, actor: Actor = "") -> None:
    """End all sessions of a user, every sign-in that has begun, and remove all trusted devices."""
    admin.change_asked(admin.operator(settings, actor, changes=True), "end-all", user, f"End all sessions of {user}?", "", yes)


@verb(*ENVIRONMENT, of=devices, name="list")
def devices_list(settings: Settings, user: User) -> None:
    """List a user's trusted devices."""
    admin.show(admin.operator(settings), user, "devices")


@verb(*ENVIRONMENT, of=devices, name="remove")
def devices_remove(settings: Settings, user: User, device: Device, actor: Actor = "") -> None:
    """Stop trusting one device. The sessions on it stay."""
    admin.removed(admin.operator(settings, actor, changes=True), user, device)


@verb(*ENVIRONMENT, of=attempts, name="show")
def attempts_show(settings: Settings, email: Email, ip: Ip) -> None:
    """Show how far the attempt budgets are used."""
    admin.attempts(admin.operator(settings), "attempts", email, ip)


@verb(*ENVIRONMENT, of=attempts, name="clear")
def attempts_clear(settings: Settings, email: Email, ip: Ip, actor: Actor = "") -> None:
    """Clear the attempt budgets; the network is no longer known to the account, either."""
    admin.attempts(admin.operator(settings, actor, changes=True), "clear-attempts", email, ip)


@verb(*ENVIRONMENT, of=mfa, name="reset")
def mfa_reset(settings: Settings, user: User, yes: Yes = False, actor: Actor = "") -> None:
    """Switch the second factor off and end all sessions. Make sure who is asking."""
    question = f"Switch off the second factor of {user}? Make sure that it is the user who asks."
    admin.change_asked(admin.operator(settings, actor, changes=True), "reset-mfa", user, question, "Second factor switched off,", yes)


@verb(*ENVIRONMENT)
def publish(settings: Settings, channel: Annotated[list[str], typer.Argument(help="user:<userId> (several may be given), topic:<name> or broadcast.",
                                                                             metavar="CHANNEL…", show_default=False)],
            kind: Annotated[str, typer.Option("--kind", help="What kind of message it is (note).", metavar="NAME", show_default=False)] = "note",
            data: Annotated[str, typer.Option("--data", help="The data, as JSON (null).", metavar="JSON", show_default=False)] = "",
            data_file: Annotated[str, typer.Option("--data-file", help="A file with the data as JSON; - is standard input.", metavar="FILE",
                                                   show_default=False)] = "",
            idempotency_key: Annotated[str, typer.Option("--idempotency-key", help="Publish at most once under this name in 24 hours.", metavar="KEY",
                                                         show_default=False)] = "",
            ttl: Annotated[int | None, typer.Option("--ttl", help="Seconds after which it is not delivered any more.", metavar="SECONDS",
                                                    show_default=False)] = None,
            ephemeral: Annotated[bool, typer.Option("--ephemeral", help="Reach live sockets only, without offset and recovery.",
                                                    show_default=False)] = False) -> None:
    """Publish a message, as a service does."""
    to = publish_module.target(channel)
    message = publish_module.body(to, kind, publish_module.data_of(data, data_file), idempotency_key, ttl, ephemeral)
    publish_module.publish(settings, message)


@verb(*ENVIRONMENT)
def introspect(settings: Settings) -> None:
    """Ask, as a service does, whether an access token opens a session; HOLDFAST_ACCESS_TOKEN, or a prompt, has the token."""
    introspect_module.introspect(settings)


@verb(*ENVIRONMENT, in_lines=True)
def tail(settings: Settings,
         channel: Annotated[str, typer.Argument(help="user:<userId>, topic:<name> or broadcast.", metavar="CHANNEL", show_default=False)],
         after: Annotated[str, typer.Option("--after", help="Begin after this place, as a line of `tail` shows it (from now).",
                                            metavar="EPOCH:OFFSET", show_default=False)] = "",
         count: Annotated[int, typer.Option("--count", help="Stop after so many messages.", metavar="N", min=0, show_default=False)] = 0,
         period: Annotated[str, typer.Option("--for", help="Stop after this time, such as 10m (Ctrl-C).", metavar="TIME",
                                             show_default=False)] = "") -> None:
    """Follow a channel as a signed-in user; HOLDFAST_ACCESS_TOKEN, or a prompt, says who."""
    wanted = tail_module.Wanted(tail_module.channel_name(channel), tail_module.mark_of(after), count, logs.seconds(period, "--for") if period else 0)
    tail_module.tail(settings, wanted)


@verb(*ENVIRONMENT, of=events, name="tail", in_lines=True)
def events_tail(settings: Settings,
                kind: Annotated[list[str] | None, typer.Option("--type", help="Only events of this type, such as SESSION_REVOKED; may be repeated.",
                                                               metavar="TYPE", show_default=False)] = None,
                user: Annotated[str, typer.Option("--user", help="Only events of this user id.", metavar="USERID", show_default=False)] = "",
                count: Annotated[int, typer.Option("--count", help="Stop after so many events.", metavar="N", min=0, show_default=False)] = 0,
                period: Annotated[str, typer.Option("--for", help="Stop after this time (1h), at most 12h.", metavar="TIME",
                                                    show_default=False)] = "1h") -> None:
    """Follow the event bus, by a rule and a queue that are removed at the end."""
    wanted = events_module.Wanted(tuple(kind or ()), user, count, logs.seconds(period, "--for"))
    events_module.tail(settings, wanted)
