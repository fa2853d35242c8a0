"""Speckle filters on linear power in Earth Engine: images in, images of the same bands out, each band by itself.

The definitions, word for word the same on both engines. I: a pixel's power. Windows are square, odd, centred; m, v: mean
and population variance over the pixels with data of the window; Ci² = v/m². L: looks, Cu² = 1/L. A pixel without data
stays without, gives nothing to its neighbours, and so does what lies outside of the image. Arithmetic is float64.
Constant areas come back as they are.

MMSE(I; m, v, Cu²) = m + b (I - m), with b = max(0, (1 - Cu² m²/v) / (1 + Cu²)), and m where v = 0.

boxcar
    m.
focal_median
    Median over the pixels with dx² + dy² <= radius² (pixels); of an even number the mean of the two in the middle.
lee (Lee 1980)
    MMSE(I; m, v, Cu²).
refined_lee (Lee 1981), 7 x 7
    Nine 3 x 3 means at steps of two pixels: of the centre, and of the eight around it. Four gradients, in this order:
    (above, below), (lower left, upper right), (left, right), (upper left, lower right). A gradient is the absolute
    difference of the two means; 0 where one of them has no data. The largest wins, ties to the first. Of its two sides
    the one whose mean is nearer to the centre's in absolute value, an equidistant pair meaning the first named; a side
    without data is infinitely far. m, v over the half window of 28 pixels on that side, centre line or diagonal included.
    s² = 1/L; without looks the mean of the five smallest of the nine v/m² of the 3 x 3 (fewer where fewer than five have
    data; 0 where v = 0, infinite where m = 0 and v > 0).
    b = (v - m² s²) / ((1 + s²) v), clipped to 0 to 1; m + b (I - m), and m where v = 0 or s² is infinite.
gamma_map (Lopes et al. 1990)
    m where v <= Cu² m²; I where v >= 2 Cu² m²; else (b m + √(b² m² + 4 a L I m)) / 2a, with a = (1 + Cu²)/(Ci² - Cu²) and
    b = a - L - 1; a negative number under the root counts as 0.
lee_sigma (Lee et al. 2009)
    Point targets: a pixel is a candidate where I >= strong (linear power, given: a percentile of the image would depend
    on how it is cut). Where at least `least` pixels of the 3 x 3 around a candidate are candidates, itself included, all
    candidates of that 3 x 3 come back as they are. Of any other pixel: p = MMSE(I; m, v, 1/L) over the 3 x 3. In range
    are the pixels of the window with I1 p <= I <= I2 p. Where none but, perhaps, the centre is in range: p. Else
    MMSE(I; m, v, s²), with m, v over the pixels in range (the centre only if it is).
    I1, I2, s of L and sigma: for x of the gamma distribution with mean 1 and L looks, P(I1 <= x <= I2) = sigma, the mean
    of x in that range is 1, and s² is its variance there.
multi_temporal (Quegan and Yu 2001)
    J_k = <I_k>/N · Σ_i I_i/<I_i>: <·> the boxcar of that pass, sum over the N passes with data at the pixel; a ratio
    whose <I_i> is 0 counts as 1. One relative orbit and one polarization at a time.

Earth Engine computes neighbourhoods at whatever scale and projection a result is asked for. Here they are pinned to the
image's own pixels: every filter takes the default projection of its image, and its result is reprojected to it.

References
----------
Lee (1980), doi:10.1109/TPAMI.1980.4766994. Lee (1981), doi:10.1016/S0146-664X(81)80018-4. Lopes, Nezry,
Touzi, Laur (1990), "Maximum a posteriori speckle filtering and first order texture models in SAR images". Lee et al.
(2009), doi:10.1109/TGRS.2008.2002881. Quegan and Yu (2001), doi:10.1109/36.964973.
"""
