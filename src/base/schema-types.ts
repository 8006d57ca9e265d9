export * from 'zod'
export {
  address,
  cidr,
  duration,
  fieldName,
  httpUrl,
  name,
  rate,
  secretRef,
  share,
  size,
} from './schema-values.ts'
