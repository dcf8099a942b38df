"""Drives a host through the control interface of wasmCloud v1 with the public NATS client for Python and nothing of
ours: what works here works for every tool that was written for v1.

    python3 drive.py NATS_URL LATTICE IMAGE HTTP_ADDRESS

NATS_URL may carry user and password. IMAGE is a reference to an HTTP component, HTTP_ADDRESS a free address. The host
is the only one of its lattice, and has been stopped when this ends with exit code 0. Each step is a line on stdout.
"""

import asyncio
import json
import sys
import urllib.request

import nats

TIMEOUT = 30
SERVER = "ghcr.io/wasmcloud/http-server:0.27.0"


class Lattice:
    """A client of the control interface, and what the lattice tells."""

    def __init__(self, connection, name):
        self.connection = connection
        self.name = name
        self.told = asyncio.Queue()

    async def listen(self):
        async def hear(message):
            self.told.put_nowait(json.loads(message.data))

        await self.connection.subscribe(f"wasmbus.evt.{self.name}.>", cb=hear)
        await self.connection.flush()

    async def ask(self, subject, body=None):
        """Asks for what must work, and returns the response, or the message where there is none."""
        payload = b"" if body is None else json.dumps(body).encode()
        subject = f"wasmbus.ctl.v1.{self.name}.{subject}"
        reply = await self.connection.request(subject, payload, timeout=TIMEOUT)
        answer = json.loads(reply.data)
        assert answer["success"], f"{subject}: {answer}"
        response = answer.get("response")
        return answer["message"] if response is None else response

    async def event(self, kind, **fields):
        """Waits for an event with these fields; others on the way are passed over."""

        async def wait():
            while True:
                event = await self.told.get()
                assert event["specversion"] == "1.0", event
                data = event["data"]
                if event["type"] != f"com.wasmcloud.lattice.{kind}":
                    assert not event["type"].endswith("_failed"), event
                elif all(data.get(key) == value for key, value in fields.items()):
                    return event

        return await asyncio.wait_for(wait(), TIMEOUT)


def page(address):
    with urllib.request.urlopen(f"http://{address}/", timeout=TIMEOUT) as response:
        return response.status, response.read().decode()


async def answering(address):
    """A link takes effect a moment after it is put."""
    loop = asyncio.get_running_loop()
    deadline = loop.time() + TIMEOUT
    while True:
        try:
            return await asyncio.to_thread(page, address)
        except OSError:
            if loop.time() > deadline:
                raise
            await asyncio.sleep(0.02)


def done(step):
    print(step, flush=True)


async def drive(lattice, image, address):
    await lattice.listen()

    host = await lattice.ask("host.ping")
    assert host["lattice"] == lattice.name and host["labels"]["hostcore.os"] == "linux", host
    host_id = host["id"]
    done(f"ping: {host['friendly_name']} {host_id}")

    async def inventory():
        return await lattice.ask(f"host.get.{host_id}")

    found = await inventory()
    assert found["components"] == [] and found["providers"] == [], found
    done("inventory: nothing runs")

    assert await lattice.ask("config.put.web", {"address": address}) == "successfully put config"
    await lattice.event("config_set", config_name="web")
    assert await lattice.ask("config.get.web") == {"address": address}
    done("config: put and read")

    auction = {"component_ref": image, "component_id": "hello", "constraints": {"hostcore.os": "linux"}}
    offer = await lattice.ask("component.auction", auction)
    assert offer["host_id"] == host_id, offer
    done("auction: the host could")

    scale = {
        "component_ref": image,
        "component_id": "hello",
        "host_id": host_id,
        "count": 5,
        "annotations": {"by": "nats-py"},
    }
    await lattice.ask(f"component.scale.{host_id}", scale)
    event = await lattice.event("component_scaled", component_id="hello", max_instances=5)
    assert event["source"] == host_id, event
    done("component: started")

    start = {"provider_id": "http", "provider_ref": SERVER, "host_id": host_id, "config": []}
    assert await lattice.ask(f"provider.start.{host_id}", start) == "successfully started provider"
    await lattice.event("provider_started", provider_id="http")
    done("provider: started")

    link = {
        "source_id": "http",
        "target": "hello",
        "name": "default",
        "wit_namespace": "wasi",
        "wit_package": "http",
        "interfaces": ["incoming-handler"],
        "source_config": ["web"],
        "target_config": [],
    }
    assert await lattice.ask("link.put", link) == "successfully set link"
    await lattice.event("linkdef_set", source_id="http", target="hello")
    assert await lattice.ask("link.get") == [link]
    status, text = await answering(address)
    assert status == 200 and "Hello" in text, (status, text)
    done("link: HTTP answers")

    found = await inventory()
    [component] = found["components"]
    [provider] = found["providers"]
    assert component["max_instances"] == 5 and component["annotations"] == {"by": "nats-py"}, found
    assert provider["id"] == "http" and provider["image_ref"] == SERVER, found
    done("inventory: both are there")

    await lattice.ask(f"component.scale.{host_id}", scale | {"count": 50})
    await lattice.event("component_scaled", component_id="hello", max_instances=50)
    assert page(address)[0] == 200
    done("scale: more instances")

    await lattice.ask(f"label.put.{host_id}", {"key": "zone", "value": "a"})
    event = await lattice.event("labels_changed")
    assert event["data"]["labels"]["zone"] == "a", event
    done("label: put")

    key = {"source_id": "http", "name": "default", "wit_namespace": "wasi", "wit_package": "http"}
    assert await lattice.ask("link.del", key) == "successfully deleted link"
    await lattice.event("linkdef_deleted", source_id="http", target="hello")
    await lattice.ask(f"component.scale.{host_id}", scale | {"count": 0})
    await lattice.event("component_scaled", component_id="hello", max_instances=0)
    stop = {"provider_id": "http", "host_id": host_id}
    assert await lattice.ask(f"provider.stop.{host_id}", stop) == "successfully stopped provider"
    await lattice.event("provider_stopped", provider_id="http")
    await lattice.ask("config.del.web")
    await lattice.event("config_deleted", config_name="web")
    found = await inventory()
    assert found["components"] == [] and found["providers"] == [], found
    done("stopped: nothing runs any more")

    stopped = await lattice.ask(f"host.stop.{host_id}", {"host_id": host_id, "timeout": 2000})
    assert stopped == "successfully handled stop host", stopped
    await lattice.event("host_stopped")
    done("host: stopped")


async def main(url, name, image, address):
    connection = await nats.connect(url, name="drive.py", allow_reconnect=False)
    try:
        await drive(Lattice(connection, name), image, address)
    finally:
        await connection.close()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
