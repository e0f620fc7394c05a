{#- Generated from ingest/contracts by `python -m domains.kpi.feed_list`; do not edit. -#}
{% macro feeds() -%}
    {{ return([
        {"code": "alert", "origin": "service", "owner": "safety", "freshness_s": 0, "entity": "identifier", "under_pseudonym": false, "boot": none, "counter": none},
        {"code": "alert_delivery", "origin": "platform", "owner": "situation_centre", "freshness_s": 0, "entity": "identifier", "under_pseudonym": false, "boot": none, "counter": none},
        {"code": "camera_event", "origin": "device", "owner": "safety", "freshness_s": 3600, "entity": "camera_id", "under_pseudonym": false, "boot": "boot_id", "counter": "sequence"},
        {"code": "complaint", "origin": "service", "owner": "appeals", "freshness_s": 86400, "entity": "service_request_id", "under_pseudonym": false, "boot": none, "counter": none},
        {"code": "incident", "origin": "platform", "owner": "situation_centre", "freshness_s": 0, "entity": "incident_id", "under_pseudonym": false, "boot": none, "counter": none},
        {"code": "ingest_outcome", "origin": "platform", "owner": "platform", "freshness_s": 0, "entity": "outcome_id", "under_pseudonym": false, "boot": none, "counter": none},
        {"code": "leak_finding", "origin": "platform", "owner": "water", "freshness_s": 0, "entity": "finding_id", "under_pseudonym": false, "boot": none, "counter": none},
        {"code": "ledger_entry", "origin": "platform", "owner": "situation_centre", "freshness_s": 0, "entity": "entity", "under_pseudonym": false, "boot": none, "counter": none},
        {"code": "meter_flag", "origin": "platform", "owner": "housing", "freshness_s": 0, "entity": "meter_id", "under_pseudonym": true, "boot": none, "counter": none},
        {"code": "meter_reading", "origin": "device", "owner": "housing", "freshness_s": 7200, "entity": "meter_id", "under_pseudonym": true, "boot": "boot_id", "counter": "sequence"},
        {"code": "meter_visit", "origin": "device", "owner": "water", "freshness_s": 0, "entity": "visit_id", "under_pseudonym": false, "boot": none, "counter": none},
        {"code": "notice_delivery", "origin": "platform", "owner": "situation_centre", "freshness_s": 0, "entity": "notice_id", "under_pseudonym": false, "boot": none, "counter": none},
        {"code": "quarantine", "origin": "platform", "owner": "platform", "freshness_s": 0, "entity": "quarantine_id", "under_pseudonym": false, "boot": none, "counter": none},
        {"code": "scada_reading", "origin": "device", "owner": "water", "freshness_s": 900, "entity": "sensor_id", "under_pseudonym": false, "boot": "boot_id", "counter": "sequence"},
        {"code": "trip_update", "origin": "service", "owner": "transit", "freshness_s": 300, "entity": "trip_id", "under_pseudonym": false, "boot": none, "counter": none},
        {"code": "vehicle_position", "origin": "device", "owner": "transit", "freshness_s": 120, "entity": "vehicle_id", "under_pseudonym": false, "boot": "boot_id", "counter": "sequence"},
        {"code": "work_order", "origin": "platform", "owner": "water", "freshness_s": 0, "entity": "order_id", "under_pseudonym": false, "boot": none, "counter": none}
    ]) }}
{%- endmacro %}
