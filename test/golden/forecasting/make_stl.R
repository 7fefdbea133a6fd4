#!/usr/bin/env Rscript
# Writes stl.json: the seasonal parts of the first values of carbon-dioxide-weekly. README.md documents the fields.
#
#     Rscript test/golden/forecasting/make_stl.R

library(jsonlite)

script <- sub('--file=', '', grep('--file=', commandArgs(FALSE), value = TRUE))
here <- dirname(normalizePath(script))
table <- read.csv(file.path(here, '..', '..', '..', 'examples', 'forecasting', 'data', 'carbon-dioxide-weekly.csv'))
values <- approx(seq_along(table$co2), table$co2, seq_along(table$co2), rule = 2)$y

seasonal <- function(count, season) {
  y <- ts(values[seq_len(count)], frequency = season)
  # Every value by regression, none by interpolation.
  result <- stl(y, s.window = 11, s.jump = 1, t.jump = 1, l.jump = 1)
  list(season = season, values = as.numeric(y), seasonal = as.numeric(result$time.series[, 'seasonal']))
}

# Fewer seasons than the window, and more; an even season, and an odd one.
content <- list(source = list(R = as.character(getRversion())), parts = list(seasonal(120, 52), seasonal(390, 27)))
writeLines(toJSON(content, auto_unbox = TRUE, digits = I(10)), file.path(here, 'stl.json'))
