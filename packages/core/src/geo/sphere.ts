// hot path: the walk computes these for every locality that it opens: plain arithmetic, no objects.

/** Mean earth radius, km (IUGG). */
export const EARTH_RADIUS_KM = 6371.0088

/** Half the way round: no two places are farther apart. */
export const MAX_DISTANCE_KM: number = Math.PI * EARTH_RADIUS_KM

const RADIANS = Math.PI / 180

// A micron: far above the rounding of these formulas, far below anything that matters.
const SLACK_KM = 1e-9

/**
 * Squared length of the chord between two unit vectors, 0 to 4: orders places as their distance
 * does.
 */
export function chord2(
  ax: number,
  ay: number,
  az: number,
  bx: number,
  by: number,
  bz: number,
): number {
  const x = ax - bx
  const y = ay - by
  const z = az - bz
  return x * x + y * y + z * z
}

/**
 * Great-circle km between two unit vectors, right for near points and for antipodes:
 * twice the arc whose tangent is |a - b| / |a + b| (W. Kahan, "How futile are mindless assessments
 * of roundoff", section 12).
 */
export function unitDistanceKm(
  ax: number,
  ay: number,
  az: number,
  bx: number,
  by: number,
  bz: number,
): number {
  const apart = chord2(ax, ay, az, bx, by, bz)
  const together = chord2(ax, ay, az, -bx, -by, -bz)
  return 2 * EARTH_RADIUS_KM * Math.atan2(Math.sqrt(apart), Math.sqrt(together))
}

/** Great-circle km between two places, degrees. */
export function distanceKm(lat1: number, lon1: number, lat2: number, lon2: number): number {
  // In the frame of the first meridian only the difference of longitudes counts: no date line.
  const phi1 = lat1 * RADIANS
  const phi2 = lat2 * RADIANS
  const turn = (lon2 - lon1) * RADIANS
  const cos2 = Math.cos(phi2)
  return unitDistanceKm(
    Math.cos(phi1),
    0,
    Math.sin(phi1),
    cos2 * Math.cos(turn),
    cos2 * Math.sin(turn),
    Math.sin(phi2),
  )
}

/**
 * Km from a place to the nearest point of a box of latitudes and longitudes (degrees; south <=
 * north, west <= east, the box itself does not cross the date line). Exact to a micron, and never
 * more than the distance to any point of the box. The sine and cosine of the place's latitude are
 * given, as one place is measured to many boxes.
 */
export function boxDistanceKmFrom(
  lat: number,
  lon: number,
  sinLat: number,
  cosLat: number,
  south: number,
  west: number,
  north: number,
  east: number,
): number {
  const turn = turnTo(lon, west, east) * RADIANS
  if (turn === 0) {
    // Between the box's meridians the shortest way runs along the place's own.
    const gap = lat < south ? south - lat : lat > north ? lat - north : 0
    const km = gap * RADIANS * EARTH_RADIUS_KM - SLACK_KM
    return km > 0 ? km : 0
  }

  // Else it ends on the nearer of the two edge meridians, in whose frame the place is (out, across,
  // up). There cos(distance) = up * sin(phi) + out * cos(phi): one maximum, within the box if the
  // slope turns there. (Next to the antipode rounding can make the minimum look so: there the
  // cosine is negative at both ends.)
  const up = sinLat
  const out = cosLat * Math.cos(turn)
  const across = cosLat * Math.sin(turn)
  const sinS = Math.sin(south * RADIANS)
  const cosS = Math.cos(south * RADIANS)
  const sinN = Math.sin(north * RADIANS)
  const cosN = Math.cos(north * RADIANS)
  let arc: number
  if (
    up * cosS >= out * sinS &&
    up * cosN <= out * sinN &&
    (up * sinS + out * cosS > -1e-9 || up * sinN + out * cosN > -1e-9)
  ) {
    arc = Math.atan2(across, Math.sqrt(up * up + out * out))
  } else {
    const apartS = chord2(out, across, up, cosS, 0, sinS)
    const apartN = chord2(out, across, up, cosN, 0, sinN)
    const togetherS = chord2(out, across, up, -cosS, 0, -sinS)
    const togetherN = chord2(out, across, up, -cosN, 0, -sinN)
    // Products compare the two ratios: digits are kept near the place and near its antipode.
    arc =
      apartS * togetherN < apartN * togetherS
        ? 2 * Math.atan2(Math.sqrt(apartS), Math.sqrt(togetherS))
        : 2 * Math.atan2(Math.sqrt(apartN), Math.sqrt(togetherN))
  }
  const km = arc * EARTH_RADIUS_KM - SLACK_KM
  return km > 0 ? km : 0
}

/**
 * Degrees of longitude, 0 to 180, from a meridian to the nearest of `west` to `east`, the short
 * way round.
 */
function turnTo(lon: number, west: number, east: number): number {
  if (lon >= west && lon <= east) return 0
  let toWest = Math.abs(west - lon)
  let toEast = Math.abs(lon - east)
  if (toWest > 180) toWest = 360 - toWest
  if (toEast > 180) toEast = 360 - toEast
  return toWest < toEast ? toWest : toEast
}
