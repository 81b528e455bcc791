import { hash } from '@node-rs/argon2'
import { hash as bcrypt } from 'bcryptjs'
import { readConfiguration } from '../../../src/configuration.js'
import type { PasswordSettings } from '../../../src/passwords/settings.js'
import { password } from './crowds.js'

const { memoryCost, timeCost, parallelism } = readConfiguration().passwords as PasswordSettings

/** What one hash of Moult costs. */
export const cost = { memoryCost, timeCost, parallelism }

const stockCost = 10 // of bcrypt in stock Feathers

export const argon2Hash = () => hash(password, cost)

export const bcryptHash = () => bcrypt(password, stockCost)
