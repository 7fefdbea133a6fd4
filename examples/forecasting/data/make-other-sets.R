# Writes the seven sets of the section "Other sets" of the example's README into FOLDER, with their protocol.json:
#
#   apt-get install r-cran-forecast r-cran-jsonlite r-cran-modeldata r-cran-surveillance python3-statsmodels
#   Rscript examples/forecasting/data/make-other-sets.R FOLDER
#   BPTT_DATA=FOLDER npm run example -- forecasting
#
# They are not in the repository, because the license of most of them is not stated.

suppressMessages({library(forecast); library(modeldata); library(surveillance)})
folder <- commandArgs(trailingOnly = TRUE)[1]
dir.create(folder, showWarnings = FALSE, recursive = TRUE)

save <- function(name, ...) {
  write.csv(data.frame(...), file.path(folder, paste0(name, '.csv')), row.names = FALSE, quote = FALSE, na = '')
}
times <- function(start, unit, n) format(seq(as.Date(start), by = unit, length.out = n))

save('gas', time = times('1956-01-01', 'month', length(gas)), value = as.numeric(gas))
save('air-passengers', time = times('1949-01-01', 'month', 144), value = as.numeric(AirPassengers))

elnino <- read.csv('/usr/lib/python3/dist-packages/statsmodels/datasets/elnino/elnino.csv')
temperatures <- as.vector(t(elnino[, -1]))
save('elnino', time = times(paste0(elnino[1, 1], '-01-01'), 'month', length(temperatures)), value = temperatures)

# The sets of surveillance have one column per region. The exact weeks do not matter to the methods.
save_weeks <- function(name, counts, start) {
  each <- times(start, 'week', nrow(counts))
  save(name, series = rep(colnames(counts), each = nrow(counts)), time = rep(each, ncol(counts)), value = c(counts))
}
data(salmNewport)
save_weeks('salmonella', observed(salmNewport), '2004-01-05')
data(fluBYBW)
# A series that is zero in the whole training part has no scale.
cases <- observed(fluBYBW)
cases <- cases[, colSums(cases[1:(nrow(cases) - 4 - 12 * 4), ]) > 0]
districts <- colnames(cases)
save_weeks('influenza', cases, '2001-01-01')
# The first digit of the key of a district is that of its state.
save('influenza-static', series = districts, state = substr(districts, 1, 1))

half_hours <- seq(as.POSIXct('2000-06-05', tz = 'UTC'), by = '30 min', length.out = length(taylor))
save('taylor', time = format(half_hours, '%Y-%m-%dT%H:%M'), value = as.numeric(taylor))
data(Chicago)
save('chicago', time = format(Chicago$date), value = round(Chicago$ridership, 3))

set <- function(name, frequency, season, horizon, origins, stride, ...) {
  list(file = paste0(name, '.csv'), series = NULL, time = 'time', value = 'value', frequency = frequency,
       season = season, horizon = horizon, origins = origins, stride = stride, ...)
}
sets <- list(
  gas = set('gas', 'month', 12, 12, 16, 3),
  'air-passengers' = set('air-passengers', 'month', 12, 12, 8, 3),
  elnino = set('elnino', 'month', 12, 12, 16, 3),
  chicago = set('chicago', 'day', 7, 14, 50, 7),
  taylor = set('taylor', 'half-hour', 336, 48, 14, 48),
  salmonella = modifyList(set('salmonella', 'week', 52, 4, 13, 4), list(series = 'series', counts = TRUE)),
  influenza = modifyList(set('influenza', 'week', 52, 4, 13, 4),
                         list(series = 'series', static = 'influenza-static.csv', counts = TRUE))
)
jsonlite::write_json(list(sets = sets), file.path(folder, 'protocol.json'), auto_unbox = TRUE, null = 'null')
