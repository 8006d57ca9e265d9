/**
 * Completes package-lock.json after `npm install`: takes out addresses of registries, and adds the
 * optional packages of other platforms that the registry at hand does not have. npm leaves them out of
 * the lock then, and `npm ci` refuses such a lock on every machine. An added entry has no checksum;
 * only its own platform would ever fetch it, and npm then writes the checksum.
 */
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { completeLock } from './lock/complete-lock.ts'

const path = join(import.meta.dirname, '..', 'package-lock.json')
writeFileSync(path, completeLock(readFileSync(path, 'utf8')))
