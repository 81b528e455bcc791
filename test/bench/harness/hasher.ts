import { verify } from '@node-rs/argon2'
import { availableParallelism } from 'node:os'
import { answerCalls } from './calls.js'
import { password } from './crowds.js'
import { argon2Hash } from './passwords.js'

// Argon2id alone, on all cores: what no sign-in can be faster than. In a process of its own, as the services are.

const atOnce = availableParallelism()

answerCalls({
  /** Hashes for so many ms. Answers how many a second there were, and the CPU of one, s. */
  async hash(duration: number) {
    const stored = await argon2Hash()
    const cpu = process.cpuUsage()
    const start = performance.now()
    let hashes = 0

    const loop = async () => {
      while (performance.now() < start + duration) {
        await verify(stored, password)
        hashes++
      }
    }

    await Promise.all(Array.from({ length: atOnce }, loop))

    const { user, system } = process.cpuUsage(cpu)

    return { perSecond: (hashes / (performance.now() - start)) * 1000, cpu: (user + system) / 1e6 / hashes }
  }
})
