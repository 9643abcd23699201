import { picks } from './picks.mjs'
export const mutants = picks
