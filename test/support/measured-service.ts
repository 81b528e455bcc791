// A service whose process tells what it costs: see measured-app.ts
import { monitorEventLoopDelay } from 'node:perf_hooks'
import { startApp } from './app.js'
import type { Figures, Order } from './measured-app.js'

const t = await startApp({ settings: JSON.parse(process.argv[2]!) })
const delay = monitorEventLoopDelay({ resolution: 1 })

delay.enable()
process.on('message', (order: Order) => {
  if (order === 'stop') {
    void t.stop().then(() => process.exit())
    return
  }
  if (order === 'reset') {
    delay.reset()
  }
  if (order === 'collect') {
    globalThis.gc!()
  }
  if (typeof order === 'object') {
    t.app.io.emit('news', 'x'.repeat(order.broadcast))
  }

  process.send!({
    hold: delay.max / 1e6,
    resident: process.memoryUsage().rss / 2 ** 20,
    sockets: t.app.io.sockets.sockets.size
  } satisfies Figures)
})
process.send!({ address: t.address })
