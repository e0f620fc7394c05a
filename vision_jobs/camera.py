"""Which camera it is, which place it watches and where that is."""

from __future__ import annotations

from dataclasses import dataclass

from city.geometry import features
from city.layers import Device
from city.profile import City


@dataclass(frozen=True, slots=True)
class Camera:
    """latitude, longitude: WGS 84 degrees, of the camera; None when the city's register does not have it."""

    camera_id: str
    site_id: str
    latitude: float | None = None
    longitude: float | None = None


def find_camera(city: City, camera_id: str, site_id: str | None = None) -> Camera:
    """The camera of the city's `devices.geojson`; an unknown one watches the place of its own name."""
    for feature in features(city, "devices"):
        device: Device = feature.properties
        if device.device_id == camera_id and device.kind == "camera":
            return Camera(camera_id, site_id or device.site_id or camera_id, feature.latitude, feature.longitude)
    return Camera(camera_id, site_id or camera_id)
