"""Mails as mail servers return them: notifications of RFC 3464, and the words of those that do not write these.

After the examples of RFC 3464's appendix, and what Postfix, Exchange, Gmail, qmail and Exim send.
"""

from billing_core.outbox.mail import mail_id

POSTFIX = """\
Return-Path: <>
From: MAILER-DAEMON@mx.ours.example (Mail Delivery System)
To: bounces@ours.example
Subject: Undelivered Mail Returned to Sender
Auto-Submitted: auto-replied
MIME-Version: 1.0
Content-Type: multipart/report; report-type=delivery-status; boundary="4F2A.17"

--4F2A.17
Content-Type: text/plain; charset=us-ascii

I'm sorry to have to inform you that your message could not
be delivered to one or more recipients.

<{address}>: host mx.acme.example said: {code} {status}
    <{address}>: Recipient address rejected: User unknown (in reply to RCPT TO command)

--4F2A.17
Content-Type: message/delivery-status

Reporting-MTA: dns; mx.ours.example
X-Postfix-Queue-ID: 4F2A
Arrival-Date: Mon, 30 Nov 2026 10:00:00 +0000 (UTC)

Final-Recipient: rfc822; {address}
Original-Recipient: rfc822;{address}
Action: {action}
Status: {status}
Remote-MTA: dns; mx.acme.example
Diagnostic-Code: smtp; {code} {status} <{address}>: Recipient address rejected:
    User unknown

--4F2A.17
Content-Type: text/rfc822-headers

Return-Path: <bounces@ours.example>
From: billing@ours.example
To: {address}, ben@acme.example
Subject: Invoice
Message-ID: <{name}@ours.example>

--4F2A.17--
"""
EXCHANGE = """\
From: Microsoft Outlook <MicrosoftExchange329e71ec88ae4615bbc36ab6ce41109e@acme.example>
To: bounces@ours.example
Subject: Undeliverable: Invoice
In-Reply-To: <{name}@ours.example>
References: <{name}@ours.example>
MIME-Version: 1.0
Content-Type: multipart/report; report-type=delivery-status;
\tboundary="=_x"

--=_x
Content-Type: multipart/alternative; boundary="=_y"

--=_y
Content-Type: text/plain; charset="us-ascii"
Content-Transfer-Encoding: quoted-printable

Delivery has failed to these recipients or groups:

{address}<mailto:{address}>
The email address you entered couldn't be found.

--=_y
Content-Type: text/html; charset="us-ascii"

<p>Delivery has failed</p>

--=_y--

--=_x
Content-Type: message/delivery-status

Reporting-MTA: dns;AM0PR01.acme.example

Final-Recipient: rfc822;{address}
Action: failed
Status: 5.1.10
Diagnostic-Code: smtp;550 5.1.10 RESOLVER.ADR.RecipientNotFound; not found

--=_x
Content-Type: message/rfc822

From: billing@ours.example
To: {address}
Message-ID: <{name}@ours.example>
Content-Type: multipart/mixed; boundary="ours"

--ours
Content-Type: text/plain

Dear Acme

--ours--

--=_x--
"""
GMAIL = """\
From: Mail Delivery Subsystem <mailer-daemon@googlemail.com>
To: bounces@ours.example
Auto-Submitted: auto-replied
Subject: Delivery Status Notification (Failure)
References: <{name}@ours.example>
In-Reply-To: <{name}@ours.example>
X-Failed-Recipients: {address}
MIME-Version: 1.0
Content-Type: multipart/report; boundary="0000"; report-type=delivery-status

--0000
Content-Type: multipart/related; boundary="1111"

--1111
Content-Type: multipart/alternative; boundary="2222"

--2222
Content-Type: text/plain; charset="UTF-8"

** Address not found **

--2222--

--1111--

--0000
Content-Type: message/delivery-status

Reporting-MTA: dns; googlemail.com
Arrival-Date: Mon, 30 Nov 2026 02:00:00 -0800 (PST)
X-Original-Message-ID: <{name}@ours.example>

Final-Recipient: rfc822; {address}
Action: failed
Status: 5.1.1
Remote-MTA: dns; gmail-smtp-in.l.google.com. (2a00::1b, the server for the domain acme.example.)
Diagnostic-Code: smtp; 550-5.1.1 The email account that you tried to reach does not exist.
 550 5.1.1 Learn more at https://support.google.com/mail/?p=NoSuchUser - gsmtp

--0000
Content-Type: message/rfc822

Message-ID: <{name}@ours.example>

--0000--
"""
OLD_GMAIL = """\
From: Mail Delivery Subsystem <mailer-daemon@googlemail.com>
To: bounces@ours.example
X-Failed-Recipients: {address}
Subject: Delivery Status Notification (Failure)
Content-Type: text/plain; charset=ISO-8859-1
Content-Transfer-Encoding: quoted-printable

Delivery to the following recipient failed permanently:

     {address}

Technical details of permanent failure:=20
The error that the other server returned was:
550 #5.1.0 Address rejected

----- Original message -----

Message-ID: <{name}@ours.example>
To: {address}, ben@acme.example
Subject: Invoice
"""
QMAIL = """\
Return-Path: <>
Received: (qmail 12122 invoked for bounce); 2 Jul 2015 05:03:53 -0000
From: MAILER-DAEMON@mother.acme.example
To: bounces@ours.example
Subject: failure notice

Hi. This is the qmail-send program at mother.acme.example.
I'm afraid I wasn't able to deliver your message to the following addresses.
This is a permanent error; I've given up. Sorry it didn't work out.

<{address}>:
Sorry, no mailbox here by that name. (#5.1.1)

--- Below this line is a copy of the message.

Return-Path: <bounces@ours.example>
Received: (qmail 12120 invoked from network); 2 Jul 2015 05:03:52 -0000
From: billing@ours.example
To: ben@acme.example
Message-ID: <{name}@ours.example>

Dear Acme, carl@acme.example
"""
EXIM = """\
X-Failed-Recipients: {address}
Auto-Submitted: auto-replied
From: Mail Delivery System <Mailer-Daemon@host.acme.example>
To: bounces@ours.example
Subject: Mail delivery failed: returning message to sender

This message was created automatically by mail delivery software.

A message that you sent could not be delivered to one or more of its
recipients. This is a permanent error. The following address(es) failed:

  {address}
    host mx.acme.example [192.0.2.1]
    SMTP error from remote mail server after RCPT TO:<{address}>:
    550 5.7.1 <{address}>: Relay access denied

------ This is a copy of the message, including all the headers. ------

Return-path: <bounces@ours.example>
From: billing@ours.example
To: {address}, ben@acme.example
Message-ID: <{name}@ours.example>
"""
OLD_EXCHANGE = """\
From: System Administrator <postmaster@acme.example>
To: bounces@ours.example
Subject: Undeliverable: Invoice
Content-Type: multipart/mixed; boundary="--=_NextPart"

----=_NextPart
Content-Type: text/plain; charset="iso-8859-1"

Your message

  To:      {address}; ben@acme.example
  Subject: Invoice

did not reach the following recipient(s):

{address} on Sun, 21 Jul 2002 07:10:13 -0400
    The recipient name is not recognized

----=_NextPart
Content-Type: message/rfc822

Message-ID: <{name}@ours.example>
To: {address}, ben@acme.example

----=_NextPart--
"""
# RFC 6533: an address with letters beyond ASCII, as a server with SMTPUTF8 names it.
GLOBAL = """\
From: MAILER-DAEMON@mx.ours.example
Content-Type: multipart/report; report-type=global-delivery-status; boundary="g"

--g
Content-Type: text/plain; charset=utf-8

Sorry.

--g
Content-Type: message/global-delivery-status

Reporting-MTA: dns; mx.ours.example

Final-Recipient: utf-8; {address}
Action: failed
Status: 5.1.1

--g
Content-Type: message/global-headers

Message-ID: <{name}@ours.example>

--g--
"""


def returned(form: str = POSTFIX, *, key: str = "k1", address: str = "ap@acme.example", **facts: str) -> bytes:
    """A report in this form of the mail with this key of the outbox, by whom it did not reach."""
    known = {"name": mail_id(key), "action": "failed", "status": "5.1.1", "code": "550"} | facts
    return form.format(address=address, **known).replace("\n", "\r\n").encode()
