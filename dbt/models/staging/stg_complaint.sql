with source as (
    select * from {{ source('raw', 'complaint') }}
),

complaint as (
    select
        service_request_id,
        "status",
        service_code,
        requested_datetime as requested_at,
        updated_datetime as updated_at,
        service_name,
        {{ pseudonym('status_notes') }} as status_notes_key,
        {{ pseudonym('description') }} as description_key,
        agency_responsible,
        service_notice,
        expected_datetime as expected_at,
        {{ pseudonym('address') }} as address_key,
        address_id,
        zipcode,
        lat as latitude,
        "long" as longitude,
        media_url,
        executor,
        deadline,
        cost_rub,
        channel,
        event_at,
        received_at,
        clock_status,
        "source",
        segment,
        segment_row
    from source
)

select * from complaint
