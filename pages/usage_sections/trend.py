"""A month's calls day by day: against what is included, and how long they took."""

import streamlit as st

from billing_core.metering import queries as metering
from billing_core.metering.models import ZoneKind
from billing_core.usage import activity
from billing_core.usage.course import Course, courses
from billing_core.usage.overview import Allowance, Month
from pages.ui import formats, tables
from pages.ui.figures import daily
from pages.ui.figures.daily import Line
from pages.ui.reads import Reader
from pages.ui.text import md
from pages.usage_sections import wording


def draw(read: Reader, month: Month) -> None:
    customer_id = month.organization.customer_id
    st.subheader(_finding(month), anchor=False)
    course = _chosen(read(courses, customer_id, month.period, today=read.today))
    days = course.days
    drawn = [Line(_calls(course), tuple(day.used for day in days))]
    if any(day.expected is not None for day in days):
        drawn.append(Line("Expected", tuple(day.expected for day in days), dash="dot"))
    if any(day.included is not None for day in days):
        drawn.append(Line("Included", tuple(day.included for day in days), color=3, steps=True))
    daily.lines([day.day for day in days], drawn, key="usage_course", alt=_finding(month))
    with st.expander("The same as a table", icon=":material/table_rows:"):
        told = read(metering.daily, customer_id, month.period, zone_kind=ZoneKind.BILLING)
        seconds = {day.day: activity.mean_seconds([day]) for day in told}
        users = {day.day: day.active_users for day in told}
        tables.show(
            days,
            [
                tables.day("Day", "day"),
                tables.count("Calls", "calls"),
                tables.count("Calls so far", "used"),
                tables.count("Expected", "expected", help="Calls so far with what is expected"),
                tables.count("Included", "included"),
                tables.computed("Users", lambda row: formats.count(users[row.day]), right=True),
                tables.computed("Mean time", lambda row: wording.seconds(seconds[row.day]), right=True),
            ],
            key="usage_days",
            alt="Calls, users and response times of each day",
        )


def _chosen(found: list[Course]) -> Course:
    """Each is compared with the allowance that it counts against."""
    if len(found) == 1:
        return found[0]
    st.caption("Each of these has an allowance of its own.")
    place = st.segmented_control(
        "Allowance",
        range(len(found)),
        format_func=lambda place: md(_calls(found[place])),
        default=0,
        required=True,
        key="usage_course_of",
        label_visibility="collapsed",
    )
    return found[place or 0]


def _calls(course: Course) -> str:
    if course.bucket is not None:
        return f"Calls in {course.bucket}"
    return "Calls" if course.is_whole else "Calls outside of all buckets"


def response_times(read: Reader, month: Month) -> None:
    """The mean of each day."""
    days = read(metering.daily, month.organization.customer_id, month.period, zone_kind=ZoneKind.BILLING)
    means = [activity.mean_seconds([day]) for day in days]
    known = [mean for mean in means if mean is not None]
    if not known:
        st.caption("No event of this month tells how long its call took.")
        return
    whole = wording.seconds(activity.mean_seconds(days))
    slowest = max(known)
    finding = (
        f"A call took {whole} on average, {wording.seconds(slowest)} on {formats.day(days[means.index(slowest)].day)}"
    )
    st.subheader(finding, anchor=False)
    points = tuple(None if mean is None else float(mean) for mean in means)
    daily.lines([day.day for day in days], [Line("Seconds a call", points, color=1)], key="usage_times", alt=finding)


def _finding(month: Month) -> str:
    included, used_up = month.included_calls, formats.day(month.exceeded_on)
    calls = formats.counted(month.calls, "call")
    if all(charge.segment.version is None for charge in month.charges):
        return f"{calls} on no plan"
    used = month.calls_with_allowance if included else month.calls
    told = f"{formats.count(used)} of {formats.counted(included, 'included call')}"
    if month.exceeds is Allowance.EXCEEDED:
        return f"{calls}: {formats.count(month.overage_calls)} beyond what is included, used up on {used_up}"
    if month.exceeds is Allowance.WILL_EXCEED:
        return f"{told}, enough until about {used_up}"
    return told
