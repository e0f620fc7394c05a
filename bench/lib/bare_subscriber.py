"""The subscriber that does nothing: `python -m bench.lib.bare_subscriber PORT TOPIC COUNT`.

paho as it comes (MQTT 5, QoS 1, its own acknowledgement), with TCP_NODELAY and the gateway's receive window, so that
only the work differs. Prints `ready`, and the moment (CLOCK_MONOTONIC) of the last message with the processor
time since it was ready.
"""

from __future__ import annotations

import json
import sys
import time
from typing import Any

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from ingest.broker.client import MAX_INFLIGHT, set_nodelay


def main(port: int, topic: str, count: int) -> None:
    left = count
    ready_s = 0.0
    client = mqtt.Client(CallbackAPIVersion.VERSION2, client_id="bare", protocol=mqtt.MQTTv5)
    client.on_socket_open = set_nodelay

    def on_message(client: mqtt.Client, userdata: Any, message: mqtt.MQTTMessage) -> None:
        nonlocal left
        left -= 1
        if left == 0:
            print(json.dumps({"last": time.monotonic(), "cpu_s": time.process_time() - ready_s}), flush=True)
            client.disconnect()

    def on_subscribe(*_: Any) -> None:
        nonlocal ready_s
        ready_s = time.process_time()
        print("ready", flush=True)

    client.on_message = on_message
    client.on_subscribe = on_subscribe
    client.on_connect = lambda client, *_: client.subscribe(topic, qos=1)
    properties = Properties(PacketTypes.CONNECT)
    properties.ReceiveMaximum = MAX_INFLIGHT
    client.connect("127.0.0.1", port, properties=properties)
    client.loop_forever()


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2], int(sys.argv[3]))
