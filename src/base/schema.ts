/** The schema vocabulary of Headgate: zod plus our own value types. `import { s } from '../base/schema.ts'`. */
export * as s from './schema-types.ts'
