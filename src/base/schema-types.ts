export * from 'zod'
export {
  address,
  cidr,
  duration,
  fieldName,
  fieldValue,
  httpUrl,
  json,
  map,
  name,
  rate,
  secretRef,
  share,
  size,
} from './schema-values.ts'
