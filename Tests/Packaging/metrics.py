"""Names of metrics in expressions, and those that exist."""

import re

#: Everything that the binary exports. A name that a rule or a panel uses must be one of these, or one of `FOREIGN`.
OWN = {
    *(
        f"lockstep_pair_{name}"
        for name in (
            "last_run_timestamp_seconds last_success_timestamp_seconds recovery_point_timestamp_seconds replication_lag_seconds "
            "last_run_duration_seconds last_exit_code running consecutive_failures source_objects source_bytes unverified_objects "
            "run_planned_bytes run_arrived_bytes check_verdict last_check_timestamp_seconds next_run_timestamp_seconds "
            "recovery_due_timestamp_seconds first_run_timestamp_seconds check_consecutive_failures"
        ).split()
    ),
    *(
        f"lockstep_{name}"
        for name in (
            "runs_total objects_total bytes_total requests_total retries_total throttles_total part_duration_seconds_bucket "
            "part_duration_seconds_sum part_duration_seconds_count event_messages_total runs_skipped_total build_info "
            "config_last_reload_successful config_last_reload_success_timestamp_seconds buffer_bytes notifications_total"
        ).split()
    ),
    "process_resident_memory_bytes", "process_cpu_seconds_total", "process_start_time_seconds",
}
#: Of Prometheus itself and of node_exporter.
FOREIGN = {"up", "node_textfile_mtime_seconds"}
#: What an administrator may record: the objectives of single pairs.
RECORDED = {"lockstep:replication_lag_objective:seconds"}


def names(expression):
    """The metrics that a PromQL expression reads: words that are no label, function, keyword or duration."""
    bare = re.sub(r'"(?:[^"\\]|\\.)*"', '""', expression)
    bare = re.sub(r"\{[^}]*\}|\[[^\]]*\]", "", bare)
    bare = re.sub(r"\b(?:by|on|ignoring|without|group_left|group_right)\s*\([^)]*\)", " ", bare)
    keywords = {"and", "or", "unless", "by", "on", "ignoring", "without", "group_left", "group_right", "offset", "bool", "atan2"}
    words = re.findall(r"(?<![\w.:$])[a-zA-Z_:][\w:]*(?!\w*\s*\()", bare)
    return {word for word in words if word not in keywords}
