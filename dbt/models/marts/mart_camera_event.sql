{{ config(
    materialized='incremental', unique_key=['camera_id', 'event_id'], incremental_strategy='delete+insert',
    on_schema_change='fail'
) }}

select
    event_id,
    camera_id,
    site_id,
    event_at,
    class_name,
    confidence,
    frame_ref,
    latitude,
    longitude
from {{ ref('stg_camera_event') }}
where {{ is_new('camera_event') }}
