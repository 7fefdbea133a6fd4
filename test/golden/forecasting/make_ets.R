#!/usr/bin/env Rscript
# Writes ets.json: exponential smoothing models of given form, fitted to the first training part of alcohol-sales.
# README.md documents the fields and how to run it.
#
#     Rscript test/golden/forecasting/make_ets.R

suppressPackageStartupMessages(library(forecast))
library(jsonlite)

script <- sub('--file=', '', grep('--file=', commandArgs(FALSE), value = TRUE))
here <- dirname(normalizePath(script))
folder <- file.path(here, '..', '..', '..', 'examples', 'forecasting', 'data')
set <- fromJSON(file.path(folder, 'protocol.json'))$sets[['alcohol-sales']]
values <- read.csv(file.path(folder, set$file))[[set$value]]
origin <- length(values) - set$horizon - (set$origins - 1) * set$stride
y <- ts(values[seq_len(origin)], frequency = set$season)

fit_one <- function(model, damped) {
  fit <- ets(y, model = model, damped = damped)
  result <- forecast(fit, h = set$horizon, level = 80)
  smoothing <- intersect(c('alpha', 'beta', 'gamma', 'phi'), names(fit$par))
  list(model = model, damped = damped, parameters = as.list(fit$par[smoothing]),
       initialState = as.list(fit$states[1, ]), finalState = as.list(fit$states[nrow(fit$states), ]),
       meanSquaredError = fit$mse, logLikelihood = fit$loglik, aicc = fit$aicc,
       forecasts = as.numeric(result$mean), lower = as.numeric(result$lower), upper = as.numeric(result$upper))
}

models <- list(list('ANN', FALSE), list('AAN', FALSE), list('AAN', TRUE), list('ANA', FALSE), list('AAA', FALSE),
               list('AAA', TRUE), list('MAM', FALSE))
content <- list(
  source = list(R = as.character(getRversion()), forecast = as.character(packageVersion('forecast'))),
  set = 'alcohol-sales', origin = origin, season = set$season,
  fits = lapply(models, function(m) fit_one(m[[1]], m[[2]]))
)
json <- toJSON(content, auto_unbox = TRUE, digits = I(12))
writeLines(gsub('\\},\\{"model', '},\n{"model', json), file.path(here, 'ets.json'))
