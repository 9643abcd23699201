import { limits } from './limits.mjs'
import { health } from './health.mjs'
export const mutants = [...limits.filter(m=>m.name!='permit-renewed-too-late'), ...health]
