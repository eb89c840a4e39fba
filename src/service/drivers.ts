import type { DriverKind, DriverPlaces, ServiceDriver, ServiceHooks } from './driver.ts'
import { EmbeddedDriver } from './drivers/embedded.ts'
import { PodmanManager } from './drivers/podman.ts'
import { SupervisorManager } from './drivers/supervisor.ts'
import { SystemdManager } from './drivers/systemd.ts'
import type { ManagerKind } from './leftovers.ts'
import { ManagedService, type ServiceManager } from './managed.ts'

/** Open a driver for one service. */
export function openDriver(kind: DriverKind, service: ServiceHooks, places: DriverPlaces): ServiceDriver {
  if (kind === 'embedded') return new EmbeddedDriver(service, places)
  return new ManagedService(openManager(kind, places), service, places)
}

/** Open a manager of the machine. */
export function openManager(kind: ManagerKind, places: DriverPlaces): ServiceManager {
  switch (kind) {
    case 'systemd':
      return new SystemdManager(places)
    case 'supervisor':
      return new SupervisorManager(places)
    case 'podman':
      return new PodmanManager(places)
  }
}
