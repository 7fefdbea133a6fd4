using Workerd = import "/workerd/workerd.capnp";

const config :Workerd.Config = (
  services = [
    (
      name = "results",
      worker = (
        modules = [(name = "workerd", esModule = embed "workerd.js")],
        compatibilityDate = "2026-11-01",
      ),
    ),
  ],
);
